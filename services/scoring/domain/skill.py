"""How good a rater is: what their record here says, and elsewhere, so that nobody starts from nothing twice.

Partial pooling: a record is compared with what was to be expected where it was made: as easy work makes everybody look
good, the odds of being right, over the odds that the others there had, is what travels. A record of the same task type
and domain counts whole, one of the same type half, any other a quarter, and all together count as so many votes at
most: what a rater does here outweighs them soon.
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
HALF_LIFE = 90.0
"""Days after which a vote counts half. People learn, tire and change tools within months. A record that gains n votes a
day holds n / (1 - 2 ** (-1 / 90)) = 130 n at most: at three a day 390, whose rate of 0.85 is known to within 0.03 (5 to
95 %): a shorter half-life would blur what is told of those who work little, a longer one would speak of the past.
"""
MATERIAL = 0.02
"""So far the mean or a bound must move to be told again."""
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


UNKNOWN = Assumed(3.0, 1.0)
"""The skill of an expert of whom nothing is known: 0.75, from 0.37 to 0.98. The consumers of `SkillChanged` and the
database's `usual_rate` go by it, so it does not follow the engine's own priors, whose mean it has."""


class Tally(NamedTuple):
    """A record beside what would be right of the usual rater."""

    correct: float = 0.0
    expected: float = 0.0
    total: float = 0.0

    def plus(self, other: Tally, times: float = 1.0) -> Tally:
        """The sum of both, the other one so many times."""
        return Tally(*(mine + times * theirs for mine, theirs in zip(self, other, strict=True)))

    def elsewhere(self, worth: float) -> Elsewhere:
        """As a record elsewhere."""
        return Elsewhere(worth, self.correct, self.expected, self.total)


class Told(NamedTuple):
    """A skill as it is told: the mean and the 5 and 95 % quantiles of its distribution."""

    mean: float
    lower: float
    upper: float
    alarm: bool


def assumed(fresh: Assumed, records: Iterable[Elsewhere], attested: Elsewhere | None = None) -> Assumed:
    """What is assumed of a rater with these records, where `fresh` is assumed of one without any.

    What is `attested` of them, of `_SMOOTH` votes at most, stands in for as many of those votes as expected.
    """
    if attested is None:
        total, rate = _compared(fresh, records)
    else:
        total, rate = _compared(fresh, [*records, attested], _SMOOTH - attested.total)
    votes = min(total, MOST)
    return Assumed(fresh.right + votes * rate, fresh.wrong + votes * (1 - rate))


def skill(here: Tally, elsewhere: Iterable[Elsewhere]) -> Assumed:
    """A rater's skill where their record is `here`: the others' count as what is assumed, this one with all its votes.

    It is relative: of a rater who does as well as the others in the same pools, the rate is that of `UNKNOWN`.
    """
    before = assumed(UNKNOWN, elsewhere)
    total, rate = _compared(UNKNOWN, [here.elsewhere(SAME)])
    return Assumed(before.right + total * rate, before.wrong + total * (1 - rate))


def worth_of(*, same_type: bool, same_domain: bool) -> float:
    """How many votes here a vote there is worth."""
    if same_type:
        return SAME if same_domain else SAME_TYPE
    return OTHER


def aged(held: Tally, read: Tally, now: Tally, gained: Tally, days: float) -> Tally:
    """The record with older votes counting less, `days` after it was `held`.

    What was held decays by 2 ** (-days / HALF_LIFE); what was `gained` since is new and counts whole. The records as
    they are kept, `read` then and read `now`, know no age: what they differ by beyond the gain is how a fit has judged
    the old votes anew, and it counts by the share of them that is still held.
    """
    kept = 0.5 ** (max(days, 0.0) / HALF_LIFE)
    share = kept * min(held.total / read.total, 1.0) if read.total > 0 else 1.0
    revised = now.plus(read, -1).plus(gained, -1)
    correct, expected, total = gained.plus(held, kept).plus(revised, share)
    total = max(total, 0.0)
    return Tally(min(max(correct, 0.0), total), min(max(expected, 0.0), total), total)


def is_material(before: Told | None, now: Told) -> bool:
    """Whether what is known now is worth telling to those who know what was told before."""
    if before is None or before.alarm != now.alarm:
        return True
    return any(abs(was - is_) >= MATERIAL for was, is_ in zip(before[:3], now[:3], strict=True))


def rate_where(held: Tally, usual: float) -> float:
    """How often a rater with this record is right where the usual one is so often."""
    fresh = Assumed(usual, 1 - usual)
    return _compared(fresh, [held.elsewhere(SAME)])[1]


def usual_of(record: Tally) -> float:
    """How often the usual rater is right where the record was made, which is of a vote at least."""
    return _within(record.expected / record.total)


def odds_times(rate: float, factor: float) -> float:
    """The rate whose odds are so many times those of `rate`."""
    return 1 / (1 + exp(-_logit(_within(rate)) - log(factor)))


def _compared(fresh: Assumed, records: Iterable[Elsewhere], smooth: float = _SMOOTH) -> tuple[float, float]:
    """How many votes records are worth, and the rate that they say: that of `fresh` by the odds that they have over
    what was to be expected.
    """
    weighed = [(r.worth, r) for r in records]
    total = sum(worth * r.total for worth, r in weighed)
    usually = _within(fresh.right / (fresh.right + fresh.wrong))
    if total <= 0:
        return 0.0, usually
    usual = _within(sum(worth * r.expected for worth, r in weighed) / total)
    reached = (sum(worth * r.correct for worth, r in weighed) + smooth * usual) / (total + smooth)
    return total, 1 / (1 + exp(-_logit(usually) - _logit(_within(reached)) + _logit(usual)))


def _within(rate: float) -> float:
    return min(max(rate, _SURE), 1 - _SURE)


def _logit(rate: float) -> float:
    return log(rate / (1 - rate))
