"""What a label of each kind is: whatever it is written like, the same is the same, and what is none is refused.

Each function gives a label as it is compared, and raises `ValueError`, in words with the way out, for what is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from services.scoring.aggregation import text as texts
from services.scoring.aggregation.evaluate.reading import shown

Read = Callable[[str], str]

MOST_LABELS = 1_000
"""Different ones of choices, levels and sets: tables grow with their square."""
_MOST_WORDS = 5_000
"""Of a text: two are aligned by a table of all pairs of their words."""
_GREATEST = 1e15
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_SPAN = re.compile(r"(\d{1,9})\s*-\s*(\d{1,9})", re.ASCII)
_MOST_SPANS = 1_000
_PREFERENCES = ("left", "right", "tie")


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


def preference(cell: str) -> str:
    """Which side of a pair is preferred."""
    if (stripped := cell.strip().casefold()) in _PREFERENCES:
        return stripped
    raise ValueError(f"{shown(cell)} is no preference: write left, right or tie")


def pair(cell: str) -> str:
    """A task that shows two sides."""
    if "|" in (stripped := cell.strip()).partition(":")[2]:
        return stripped
    raise ValueError(f"{shown(cell)} is no pair: name the task context:left|right")


def labels(cell: str) -> str:
    """A set of labels, which may be empty."""
    return ";".join(sorted(set(parts(cell))))


def spans(cell: str) -> str:
    """A set of spans, which may be empty."""
    found = [_span(part) for part in parts(cell)]
    if len(found) > _MOST_SPANS:
        raise ValueError(f"lists {len(found):,} spans: at most {_MOST_SPANS:,} can be compared")
    return ";".join(f"{begin}-{end}" for begin, end in found)


def text(cell: str) -> str:
    """A text, which may be empty; it is compared word by word."""
    if (words := len(texts.words(cell))) > _MOST_WORDS:
        raise ValueError(
            f"has {words:,} words: at most {_MOST_WORDS:,} can be aligned; cut the text into several tasks"
        )
    return cell


def parts(label: str) -> list[str]:
    """The parts of a label that lists some, without those that are empty."""
    return [part.strip() for part in label.split(";") if part.strip()]


def _span(part: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(part)
    if found is None or int(found[1]) >= int(found[2]):
        raise ValueError(f"{shown(part)} is no span: write the first character and the one after the last, like 3-7")
    return int(found[1]), int(found[2])
