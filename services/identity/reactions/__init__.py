"""What identity does about others' events, one file per event: none yet."""
