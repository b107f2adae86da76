"""One of ordered levels, as of a rubric."""
