"""How the engine is measured on files of answers: what `services/scoring/cli.py` runs."""
