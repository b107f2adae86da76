"""The change alarm: whether a rater is worse of late than their long record says.

A cumulated sum (Page 1954): each vote adds the logarithm of how much more probable it is of one whose odds of being
right have fallen to a third than of one who is as before; below 0 the sum starts anew. Of a rater who stays as they are
it reaches the logarithm of 10,000 once in 10,000 votes at most (Lorden 1971), if the long record is known for certain.
It is not: in simulations from the first vote on, one rater in a hundred had a false alarm within 1,000 votes. Of one
who falls from 0.85 to guessing between two labels it does so after 30 votes in the median.
"""

from __future__ import annotations

from math import log
from typing import NamedTuple

from services.scoring.domain.skill import Tally, odds_times, rate_where

FALL = 1 / 3
"""The change of the odds that is looked for."""
ALARM = log(10_000)
"""The sum, in nats, that raises the alarm. It goes no higher, so that it comes down as soon as it went up."""


class Drift(NamedTuple):
    """The sum, in nats, and whether the alarm stands: from when the sum is full until it is back at 0."""

    nats: float = 0.0
    alarm: bool = False


def drifted(before: Drift, held: Tally, gained: Tally) -> Drift:
    """The sum after what was `gained`, by a rater whose record until then is `held`.

    Compared is with what such a rater reaches where the gain was made, so that harder work is no change.
    """
    made_where = gained if gained.total > 0 else held
    if made_where.total <= 0:
        return before
    usual = made_where.expected / made_where.total
    as_before = rate_where(held, usual)
    fallen = odds_times(as_before, FALL)
    right, wrong = log(fallen / as_before), log((1 - fallen) / (1 - as_before))
    nats = before.nats + gained.correct * right + (gained.total - gained.correct) * wrong
    nats = min(max(nats, 0.0), ALARM)
    return Drift(nats, nats >= ALARM or (before.alarm and nats > 0))
