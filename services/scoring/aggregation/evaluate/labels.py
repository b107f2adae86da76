"""What a label is: whatever it is written like, the same is the same, and what is none is refused.

Each function gives a label as it is compared, and raises `ValueError`, in words with the way out, for what is none.
What only one kind writes is read in `kinds/NAME/evaluate.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from services.scoring.aggregation.evaluate.reading import shown

Read = Callable[[str], str]

MOST_LABELS = 1_000
"""Different ones of choices, levels and sets: tables grow with their square."""
_GREATEST = 1e15
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


def name(cell: str) -> str:
    """A name: of a task, of a rater, or one of several labels."""
    if stripped := cell.strip():
        return stripped
    raise ValueError("is empty: fill it in, or remove the row")


def number(cell: str) -> str:
    """A number, also as the level of something: 1, 1.0 and 01 are one."""
    stripped = cell.strip()
    if not _NUMBER.fullmatch(stripped):
        raise ValueError(f"{shown(cell)} is no number: write it like 3.5")
    if abs(value := float(stripped)) > _GREATEST:
        raise ValueError(f"{shown(cell)} is beyond {_GREATEST:.0e}: measure in a greater unit")
    return repr(value + 0.0)  # nothing is less than nothing: -0.0 is 0.0


def parts(label: str) -> list[str]:
    """The parts of a label that lists some, without those that are empty."""
    return [part.strip() for part in label.split(";") if part.strip()]
