"""Clients of the platform: a Python client and the command line. They know the contracts and nothing else of us."""
