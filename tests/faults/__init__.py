"""Crashes, duplicates and poison: what must hold whatever breaks. `make faults` runs the long forms."""
