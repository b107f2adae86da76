"""When to stop asking, and what follows: more answers, agreement, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache
from math import log
from typing import NamedTuple

from chassis.errors import InvalidArgument
from services.scoring.domain.consensus import Consensus, Finding

AGREED = 0.8
"""Where the vendor asks for no confidence, the one that counts as agreement once no more answers are asked for: three
fresh raters against one reach it, two against one hardly ever."""
BEST_RATER = 0.95
"""How often the best of raters are taken to be right when it is asked whether answers to come could change a label."""
PRICE = 0.0002
"""Where the vendor asks for no confidence, what an answer must add to the probability of a right result to be asked
for: that of 5,000 answers a right task more."""


class InvalidRedundancy(InvalidArgument):
    """The least number of answers is below one or above the greatest, the confidence is not within 0.5 and 1, the worth
    not within 0 and 1 or stated where all answers are asked for, or what counts as agreement not within 0 and the
    confidence.
    """

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
    """How many answers a task gets, when to stop before the greatest number, and what counts as agreement then.

    `stop_confidence` is what the vendor asks for; at 1 all answers are asked for, at 0 no confidence is. The vendor may
    state what an answer must be worth and what counts as agreement; else a confidence that is asked for is the only
    thing that stops and the only thing that counts, and where none is the platform's rules do. Raises
    `InvalidRedundancy`.
    """

    least: int
    greatest: int
    stop_confidence: float
    least_worth: float | None = None
    agreed_confidence: float | None = None
    price: float = field(init=False)
    """What an answer must be worth to be asked for; 0: that is no matter."""
    agreement: float = field(init=False)
    """The confidence that counts as agreement once no more answers are asked for."""
    unanimity: bool = field(init=False)
    """Whether it also counts that all say the same."""

    def __post_init__(self) -> None:
        stop, worth, agreed = self.stop_confidence, self.least_worth, self.agreed_confidence
        if not (
            1 <= self.least <= self.greatest
            and (stop == 0 or 0.5 <= stop <= 1)
            and (not worth or (0 < worth < 1 and stop < 1))
            and (agreed is None or 0 <= agreed <= (stop or 1))
        ):
            raise InvalidRedundancy(field="redundancy")
        by_default = AGREED if stop in (0, 1) else stop
        # The class is frozen, and these follow from the others once for all its tasks.
        object.__setattr__(self, "price", (PRICE if stop == 0 else 0.0) if worth is None else worth)
        object.__setattr__(self, "agreement", by_default if agreed is None else agreed)
        object.__setattr__(self, "unanimity", agreed is None and stop in (0, 1))

    @property
    def target(self) -> float:
        """The confidence that answers are to bring: the one asked for, else what counts as agreement."""
        return self.agreement if self.stop_confidence in (0, 1) else self.stop_confidence


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

    One vote is unanimous with itself: where unanimity counts, it does only if no more were asked of the question.
    """
    if finding.consensus is None:
        return False
    unanimous = redundancy.unanimity and finding.consensus.unanimous and finding.votes >= redundancy.least
    return unanimous or finding.confidence >= redundancy.agreement


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
    if 0 < redundancy.stop_confidence <= consensus.confidence:
        return _CONFIDENT
    if redundancy.price and _is_settled(consensus, remaining):
        return _SETTLED
    return _NOT_WORTH_IT if consensus.worth < redundancy.price else _NONE


def _is_settled(consensus: Consensus, remaining: int) -> bool:
    """Whether the label stays the same even if the best of raters give all remaining answers to the runner-up."""
    return consensus.lead > remaining * greatest_weight(len(consensus.probabilities))
