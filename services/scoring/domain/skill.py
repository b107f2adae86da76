"""What a rater's record elsewhere says of them here: partial pooling, so that nobody starts from nothing twice.

A record is compared with what was to be expected where it was made: as easy work makes everybody look good, the odds of
being right, over the odds that the others there had, is what travels. A record of the same task type and domain counts
whole, one of the same type half, any other a quarter, and all together count as so many votes at most: what a rater
does here outweighs them soon.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

SAME, SAME_TYPE, OTHER = 1.0, 0.5, 0.25
"""How many votes here a vote there is worth, by what both have in common."""
MOST = 16.0
"""The most votes that records elsewhere are worth in all."""
_SMOOTH = 4.0
"""Votes as expected that are added to a record: a few lucky ones say little."""
_SURE = 1e-3


@dataclass(frozen=True, slots=True)
class Record:
    """Of `total` labels so many (expected, not whole) are right."""

    correct: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A rater's record elsewhere; `expected` is how many would be right of a rater like the others there."""

    worth: float
    correct: float
    expected: float
    total: float


class Assumed(NamedTuple):
    """A Beta distribution: votes that a rater is taken to have got right, and not."""

    right: float
    wrong: float


def assumed(fresh: Assumed, records: Iterable[Elsewhere]) -> Assumed:
    """What is assumed of a rater with these records, where `fresh` is assumed of one without any."""
    weighed = [(r.worth, r) for r in records]
    total = sum(worth * r.total for worth, r in weighed)
    if total <= 0:
        return fresh
    usual = _within(sum(worth * r.expected for worth, r in weighed) / total)
    reached = (sum(worth * r.correct for worth, r in weighed) + _SMOOTH * usual) / (total + _SMOOTH)
    here = _logit(fresh.right / (fresh.right + fresh.wrong)) + _logit(_within(reached)) - _logit(usual)
    votes, rate = min(total, MOST), 1 / (1 + exp(-here))
    return Assumed(fresh.right + votes * rate, fresh.wrong + votes * (1 - rate))


def _within(rate: float) -> float:
    return min(max(rate, _SURE), 1 - _SURE)


def _logit(rate: float) -> float:
    return log(rate / (1 - rate))
