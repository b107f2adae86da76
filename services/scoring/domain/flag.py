"""When a rater is flagged for people to look at: the evidence, of what kind, and in which words.

A flag takes nothing from anybody: answers are judged and paid as before. While it stands, the rater's votes have no
weight in a consensus, since what they say is no news. Evidence is counted in nats, the logarithm of how many times more
probable the observed is of one who does not look: 7 nats are a thousand to one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from math import log

LEAST_VOTES = 8
"""Nobody is flagged by fewer votes."""
ENOUGH = -7.0
"""The evidence, in nats, by which somebody is flagged if signs of more than one kind say so."""
ALONE = -14.0
"""The same where labels are the only sign."""
_HINT = -2.0
"""What labels must say themselves where other signs join them."""
_GOLD = log(0.65 / 0.35)
"""What each question of gold says: right of it is 0.65 of one who looks, and 0.35 of one who does not."""
_MOST_GOLD = 6.0
_HURRY = 4.0
"""What it says that a rater is faster than the others by three standard deviations of their log times (Prolific's bound
for exceptionally fast answers)."""
_DEVIATIONS = 3.0


class Kind(IntEnum):
    """Kinds of flags; the numbers are those of the contract."""

    CARELESS = 1
    SPAM = 2
    COLLUSION = 3


@dataclass(frozen=True, slots=True)
class Signs:
    """What is known of a rater. Evidence is below 0 where it speaks against them; `pace` in standard deviations."""

    votes: int
    looks: float
    cares: float
    gold_right: float
    gold_all: float
    pace: float | None
    """Of the rater's mean log time against the others' on the same projects; none for too few answers."""


@dataclass(frozen=True, slots=True)
class Flag:
    """What somebody is flagged for, with the evidence in nats and in words."""

    kind: Kind
    nats: float
    evidence: str


def flag(signs: Signs) -> Flag | None:
    """The flag that the signs of a single rater call for, if any: the graver one of two."""
    gold = min(max((2 * signs.gold_right - signs.gold_all) * _GOLD, -_MOST_GOLD), _MOST_GOLD)
    hurry = -_HURRY if signs.pace is not None and signs.pace <= -_DEVIATIONS else 0.0
    if signs.votes < LEAST_VOTES:
        return None
    for kind, labels, other in ((Kind.SPAM, signs.looks, gold + hurry), (Kind.CARELESS, signs.cares, min(gold, 0.0))):
        together = labels + other
        if labels <= ALONE or (labels <= _HINT and other < 0 and together <= ENOUGH):
            return Flag(kind, together, _words(kind, signs, labels))
    return None


def ring_flag(members: int, tasks: int) -> Flag:
    """The flag of a member of a ring of so many, who say the same wherever they meet: on so many tasks at least, or
    fewer of several questions.
    """
    evidence = (
        f"Says what {members - 1} others say wherever they meet, on as much as {tasks} tasks of one question or more, "
        f"and where all other raters differ too: nobody who judges by themselves agrees so far."
    )
    return Flag(Kind.COLLUSION, ALONE, evidence)


def _words(kind: Kind, signs: Signs, labels: float) -> str:
    what = {
        Kind.SPAM: "as labels given out of habit, without a look at the task,",
        Kind.CARELESS: "as those of a rater half as informed as is usual",
    }[kind]
    parts = [f"{signs.votes} votes are e^{-labels:.1f} times more probable {what} than otherwise"]
    if signs.gold_all:
        parts.append(f"of {signs.gold_all:.0f} questions of gold {signs.gold_right:.0f} are right")
    if signs.pace is not None and signs.pace <= -_DEVIATIONS:
        parts.append(f"answers come {-signs.pace:.1f} standard deviations faster than those of others")
    return "; ".join(parts) + "."
