"""What tasking does when something has happened elsewhere: one file per event."""
