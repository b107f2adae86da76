"""The rules of tasking: pure functions and state machines."""
