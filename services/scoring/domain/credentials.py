"""What an attested claim says of how good its holders are: learned from their records, and nothing before they show it.

In a task type and domain each expert's record says by how much, in log odds, they do better than the usual rater. A
claim tells as far as its holders' mean differs from everybody else's, beyond what so many experts differ by chance: by
means weighted by inverse variance, with standard errors that are wider where experts differ by more than raters do
(Birge 1932), and votes shrunk as by James and Stein (1961). It takes sums alone, so that any expert can be left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import exp, inf, log
from typing import NamedTuple

from services.scoring.domain.skill import SAME, UNKNOWN, Elsewhere, Tally, odds_times, rate_where, usual_of

MOST = 4.0
"""The most votes that a claim is worth: what is assumed of anybody weighs eight (`Configuration`), records sixteen."""
DOUBT = 4.0
"""A claim tells nothing until its effect is two standard errors: of many claims some differ by chance."""
SPREAD = sum(UNKNOWN)
"""Raters differ among themselves as widely as the distribution of one of whom so many votes are known."""
_GRID = 2.0**20
"""What is added up is a multiple of one over this, so that what is taken out again leaves nothing behind."""


class Shown(NamedTuple):
    """What some experts have shown in a task type and domain: sums, of their number, their weights, and these times the
    log odds that each has over the usual rater, and the squares of those.
    """

    experts: float = 0.0
    weight: float = 0.0
    effect: float = 0.0
    square: float = 0.0

    def less(self, other: Shown) -> Shown:
        """The same without those."""
        return Shown(*(all_ - some for all_, some in zip(self, other, strict=True)))

    @property
    def mean(self) -> float:
        """By how much they do better than the usual rater, in log odds; they are so many that they weigh something."""
        return self.effect / self.weight

    @property
    def variance(self) -> float:
        """The squared standard error of the mean. One expert shows nothing of others like them."""
        if self.experts < 2 or self.weight <= 0:
            return inf
        freedom = self.experts - 1
        differ = (self.square - self.effect * self.mean) / freedom
        return self.experts / freedom * max(differ, 1.0) / self.weight


class Attested(NamedTuple):
    """What a claim says of a holder who is new: so many votes, and how often its holders are right where the `usual`
    rater is so often.
    """

    claim: str
    votes: float
    rate: float
    usual: float

    @property
    def record(self) -> Elsewhere:
        """As a record elsewhere."""
        return Elsewhere(SAME, self.votes * self.rate, self.votes * self.usual, self.votes)


def shown(record: Tally) -> Shown:
    """What one expert's record adds. Its weight is the inverse of its variance, by its votes and among experts: however
    many votes somebody has, they are one expert.
    """
    if record.total <= 0:
        return Shown()
    usual = usual_of(record)
    better = rate_where(record, 0.5)
    effect = log(better / (1 - better))
    weight = usual * (1 - usual) * SPREAD * record.total / (record.total + SPREAD)
    return Shown(1.0, *(round(each * _GRID) / _GRID for each in (weight, weight * effect, weight * effect**2)))


@lru_cache(1024)
def attested(claim: str, holders: Shown, others: Shown, usual: float) -> Attested:
    """What a claim says where the usual rater is so often right, by what its holders and everybody else have shown.

    Many who come new hold the same one, hence the cache.
    """
    doubt = holders.variance + others.variance
    if doubt == inf:
        return Attested(claim, 0.0, usual, usual)
    effect = holders.mean - others.mean
    votes = MOST * max(1 - DOUBT * doubt / effect**2, 0.0) if effect else 0.0
    return Attested(claim, votes, odds_times(usual, exp(effect)), usual)


def most_telling(claims: Iterable[Attested]) -> Attested | None:
    """The one of a rater's claims that says most, if any says something: claims go together, so they do not add up."""
    return max((each for each in claims if each.votes > 0), key=lambda each: each.votes, default=None)
