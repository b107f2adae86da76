"""The rules of identity: pure, on the standard library only."""
