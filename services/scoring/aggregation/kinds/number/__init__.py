"""A number on a scale."""
