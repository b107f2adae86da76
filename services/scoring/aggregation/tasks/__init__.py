"""The answers to tasks of the service as arrays, and what is found of their questions."""
