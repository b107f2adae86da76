"""The rules of scoring: pure, on the standard library only."""
