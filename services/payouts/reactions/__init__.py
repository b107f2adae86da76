"""One file per consumed event."""
