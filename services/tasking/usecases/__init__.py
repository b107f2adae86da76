"""What tasking does when it is asked: load, decide, write, emit; one file per use case."""
