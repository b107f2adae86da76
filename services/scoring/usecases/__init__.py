"""What scoring does, one file per use case: load, decide by the domain, write, emit."""
