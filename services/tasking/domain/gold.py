"""How much gold an expert is to get, by how well their skill is known."""

from __future__ import annotations

WIDE, NARROW = 0.5, 0.1
"""Widths of the 5 to 95 % interval of a skill. Of a fresh expert it is 0.6, after ten answers 0.4, and 0.1 after about
150: from there on one more gold task says next to nothing."""


def doubt(lower: float, upper: float, *, alarm: bool) -> float:
    """From 0, for a skill that is known, to 1, for one that is not, or that may have changed."""
    if alarm:
        return 1.0
    return min(max((upper - lower - NARROW) / (WIDE - NARROW), 0.0), 1.0)
