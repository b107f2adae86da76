"""Scoring: votes, what each task's votes agree on, the records of raters, and how answers are judged."""
