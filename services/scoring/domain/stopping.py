"""When to stop asking, and what follows: more answers, agreement, or none."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from chassis.errors import InvalidArgument
from services.scoring.domain.consensus import Consensus
from services.scoring.domain.reliability import greatest_weight

AGREED = 0.9
"""Where no more answers are asked for, a confidence that counts as agreement even if the vendor would stop early only
at a higher one: three fresh raters against one reach it, two against one do not."""


class InvalidRedundancy(InvalidArgument):
    """The least number of answers is below one or above the greatest, or the confidence is not within 0.5 and 1."""

    reason = "INVALID_REDUNDANCY"


class Verdict(IntEnum):
    """What follows from the answers of a task; the numbers are those of the contract."""

    MORE_WANTED = 1
    RESOLVED = 2
    UNRESOLVED = 3


@dataclass(frozen=True, slots=True)
class Redundancy:
    """How many answers a task gets, and the confidence at which to stop before the greatest number.

    Raises `InvalidRedundancy`.
    """

    least: int
    greatest: int
    stop_confidence: float

    def __post_init__(self) -> None:
        if not (1 <= self.least <= self.greatest and 0.5 <= self.stop_confidence <= 1):
            raise InvalidRedundancy(field="redundancy")


def verdict(consensus: Consensus, redundancy: Redundancy, *, closed: bool) -> Verdict:
    """What follows from the standing votes.

    A task that was closed once stays so, as its result is delivered and its answers are judged: a late vote that
    shakes the consensus makes it UNRESOLVED, it does not ask anew.
    """
    if not closed and _asks_for_more(consensus, redundancy):
        return Verdict.MORE_WANTED
    agreed = consensus.confidence >= min(redundancy.stop_confidence, AGREED)
    return Verdict.RESOLVED if agreed or consensus.unanimous else Verdict.UNRESOLVED


def answers_wanted(verdict: Verdict, seen: int, votes: int, redundancy: Redundancy) -> int:
    """The number of answers wanted in all, those `seen` among them; of these, `votes` stand.

    A vote that its own expert has replaced was seen, and another one is wanted in its place.
    """
    if verdict is not Verdict.MORE_WANTED:
        return seen
    return seen + max(redundancy.least - votes, 1)


def _asks_for_more(consensus: Consensus, redundancy: Redundancy) -> bool:
    if consensus.votes < redundancy.least:
        return True
    remaining = redundancy.greatest - consensus.votes
    if remaining <= 0:
        return False
    # At 1 all are asked: certainty does not come before the last answer, whatever a float rounds to.
    early = redundancy.stop_confidence < 1
    return not (early and (consensus.confidence >= redundancy.stop_confidence or _is_settled(consensus, remaining)))


def _is_settled(consensus: Consensus, remaining: int) -> bool:
    """Whether the label stays the same even if the best of raters give all remaining answers to the runner-up."""
    return consensus.lead > remaining * greatest_weight(len(consensus.probabilities))
