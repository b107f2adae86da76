"""When to stop asking, and what follows: more answers, agreement, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from math import log
from typing import NamedTuple

from chassis.errors import InvalidArgument
from services.scoring.domain.consensus import Consensus, Finding

AGREED = 0.8
"""Where no more answers are asked for, a confidence that counts as agreement even if the vendor would stop early only
at a higher one: three fresh raters against one reach it, two against one hardly ever."""
BEST_RATER = 0.95
"""How often the best of raters are taken to be right when it is asked whether answers to come could change a label."""
PRICE = 0.0002
"""What an answer must add to the probability of a right result to be asked for: that of 5,000 answers a right task
more."""


class InvalidRedundancy(InvalidArgument):
    """The least number of answers is below one or above the greatest, or the confidence is not within 0.5 and 1."""

    reason = "INVALID_REDUNDANCY"


class Verdict(IntEnum):
    """What follows from the answers of a task; the numbers are those of the contract."""

    MORE_WANTED = 1
    RESOLVED = 2
    UNRESOLVED = 3


class Reason(IntEnum):
    """Why no more answers are asked for; the numbers are those of the contract."""

    NONE = 0
    CONFIDENT = 1
    SETTLED = 2
    NOT_WORTH_IT = 3
    ALL_IN = 4
    NO_QUORUM = 5


# Asked for with every question of every answer: Python 3.11 takes ten times as long to find a member in its enum.
MORE_WANTED, RESOLVED, UNRESOLVED = Verdict
_NONE, _CONFIDENT, _SETTLED, _NOT_WORTH_IT, _ALL_IN, _NO_QUORUM = Reason


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


class Outcome(NamedTuple):
    """What follows from the answers, and why; `wanted` is the number of those wanted in all, those seen among them."""

    verdict: Verdict
    reason: Reason
    wanted: int


def outcome(findings: Sequence[Finding], seen: int, standing: int, redundancy: Redundancy, *, closed: bool) -> Outcome:
    """What follows from `seen` answers to a task, of which so many stand: it is resolved when each of its questions is.

    A question that is open asks for another answer to all of them: experts answer tasks, not questions. A task that was
    closed once stays so, as its result is delivered and its answers are judged: a late vote that shakes the consensus
    makes it UNRESOLVED, it does not ask anew.
    """
    reasons = [reason_of(finding, standing, redundancy) for finding in findings]
    if _NONE in reasons and not closed:
        return Outcome(MORE_WANTED, _NONE, _wanted(seen, standing, findings, redundancy))
    resolved = all(agrees(finding, redundancy) for finding in findings)
    return Outcome(RESOLVED if resolved else UNRESOLVED, max(reasons), seen)


def agrees(finding: Finding, redundancy: Redundancy) -> bool:
    """Whether the votes on a question are enough to stand by, when no more are asked for.

    One vote is unanimous with itself: that counts only where no more were asked of the question.
    """
    if finding.consensus is None:
        return False
    unanimous = finding.consensus.unanimous and finding.votes >= redundancy.least
    return unanimous or finding.confidence >= min(redundancy.stop_confidence, AGREED)


@lru_cache
def greatest_weight(classes: int) -> float:
    """The evidence that a label of the best of raters brings, in nats."""
    return log(BEST_RATER * (classes - 1) / (1 - BEST_RATER))


def _wanted(seen: int, standing: int, findings: Iterable[Finding], redundancy: Redundancy) -> int:
    """An answer that its own expert has replaced was seen, and another one is wanted in its place. So is a vote of
    someone who could not assess a question, as long as the greatest number allows.
    """
    short = max(redundancy.least - min(finding.votes for finding in findings), 1)
    return seen + min(short, redundancy.greatest - standing)


def reason_of(finding: Finding, standing: int, redundancy: Redundancy) -> Reason:
    """Why a question asks for no more answers; none if it does."""
    remaining = redundancy.greatest - standing
    if remaining <= 0:
        return _ALL_IN
    consensus, votes = finding.consensus, finding.votes
    # So many could not assess it that the least number of votes does not come together any more.
    if votes + remaining < redundancy.least:
        return _NO_QUORUM
    # At 1 all are asked: certainty does not come before the last answer, whatever a float rounds to.
    if consensus is None or votes < redundancy.least or redundancy.stop_confidence >= 1:
        return _NONE
    if consensus.confidence >= redundancy.stop_confidence:
        return _CONFIDENT
    if _is_settled(consensus, remaining):
        return _SETTLED
    return _NOT_WORTH_IT if consensus.worth < PRICE else _NONE


def _is_settled(consensus: Consensus, remaining: int) -> bool:
    """Whether the label stays the same even if the best of raters give all remaining answers to the runner-up."""
    return consensus.lead > remaining * greatest_weight(len(consensus.probabilities))
