"""Which skill an expert is taken to have, when work for seniors is given out."""

from __future__ import annotations

USUAL = 0.75
"""The skill of an expert of whom nothing is known, on the scale of `SkillChanged`."""


def seniority(mean: float, *, alarm: bool) -> float:
    """The mean; of whom answers surprisingly worse of late, no more than usual."""
    return min(mean, USUAL) if alarm else mean
