"""A free text."""
