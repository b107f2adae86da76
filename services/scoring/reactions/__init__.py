"""What scoring does when something happened elsewhere: one file per consumed event."""
