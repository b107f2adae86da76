"""Passages marked in a text."""
