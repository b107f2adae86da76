"""One file per use case: load, decide by calling the domain, write, emit."""
