"""When to stop asking, and what follows: more answers, agreement, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from chassis.errors import InvalidArgument
from services.scoring.domain.consensus import Consensus, Finding
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


def verdict(findings: Sequence[Finding], standing: int, redundancy: Redundancy, *, closed: bool) -> Verdict:
    """What follows from the `standing` answers of a task: it is resolved when each of its questions is.

    A question that is open asks for another answer to all of them: experts answer tasks, not questions. A task that was
    closed once stays so, as its result is delivered and its answers are judged: a late vote that shakes the consensus
    makes it UNRESOLVED, it does not ask anew.
    """
    if not closed and any(_asks_for_more(finding, standing, redundancy) for finding in findings):
        return Verdict.MORE_WANTED
    return Verdict.RESOLVED if all(agrees(finding, redundancy) for finding in findings) else Verdict.UNRESOLVED


def agrees(finding: Finding, redundancy: Redundancy) -> bool:
    """Whether the votes on a question are enough to stand by, when no more are asked for.

    One vote is unanimous with itself: that counts only where no more were asked of the question.
    """
    if finding.consensus is None:
        return False
    unanimous = finding.consensus.unanimous and finding.votes >= redundancy.least
    return unanimous or finding.confidence >= min(redundancy.stop_confidence, AGREED)


def answers_wanted(
    verdict: Verdict, seen: int, standing: int, findings: Iterable[Finding], redundancy: Redundancy
) -> int:
    """The number of answers wanted in all, those `seen` among them; of these, `standing` stand.

    An answer that its own expert has replaced was seen, and another one is wanted in its place. So is a vote of someone
    who could not assess a question, as long as the greatest number allows.
    """
    if verdict is not Verdict.MORE_WANTED:
        return seen
    short = max(redundancy.least - min(finding.votes for finding in findings), 1)
    return seen + min(short, redundancy.greatest - standing)


def _asks_for_more(finding: Finding, standing: int, redundancy: Redundancy) -> bool:
    remaining = redundancy.greatest - standing
    if remaining <= 0:
        return False
    if finding.consensus is None or finding.votes < redundancy.least:
        return True
    # At 1 all are asked: certainty does not come before the last answer, whatever a float rounds to.
    early = redundancy.stop_confidence < 1
    enough = finding.confidence >= redundancy.stop_confidence or _is_settled(finding.consensus, remaining)
    return not (early and enough)


def _is_settled(consensus: Consensus, remaining: int) -> bool:
    """Whether the label stays the same even if the best of raters give all remaining answers to the runner-up."""
    return consensus.lead > remaining * greatest_weight(len(consensus.probabilities))
