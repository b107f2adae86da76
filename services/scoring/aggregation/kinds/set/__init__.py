"""Any number of labels at once."""
