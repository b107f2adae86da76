"""What is payable for an answer, and who may change it.

A re-score may raise a decision; only a person may lower one. A proposal of less than all is never a decision: it opens
a case that a person decides, and what nobody decides in time is accepted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from chassis.errors import FailedPrecondition, InvalidArgument

ALL = 10_000
"""Basis points of an answer that is payable in full."""
LEAST_REASON = 100
"""Characters that a reason for paying less must have."""

GROUNDS = frozenset(
    {
        "GOLD_FAILED",
        "TOO_FAST_3SD",
        "INSTRUCTION_IGNORED",
        "COPIED_OR_LLM",
        "INCOMPLETE",
        "OFF_TOPIC",
        "OUT_OF_SCOPE",
        "DUPLICATE",
        "FRAUD",
    }
)
"""The closed list of grounds on which less than all may be paid."""


class UnknownGround(InvalidArgument):
    """Less than all is payable only on a ground of the closed list: GOLD_FAILED, TOO_FAST_3SD, INSTRUCTION_IGNORED,
    COPIED_OR_LLM, INCOMPLETE, OFF_TOPIC, OUT_OF_SCOPE, DUPLICATE or FRAUD.
    """

    reason = "UNKNOWN_GROUND"


class ReasonTooShort(InvalidArgument):
    """Paying less than all needs a reason of at least 100 characters that the expert can understand."""

    reason = "REASON_TOO_SHORT"


class OwnAnswer(FailedPrecondition):
    """A person does not decide about their own answer."""

    reason = "OWN_ANSWER"


class FindingsImpossible(FailedPrecondition):
    """What scoring tells of a task cannot be: probabilities lie from 0 to 1, shares from 0 to 10,000 basis points."""

    reason = "FINDINGS_IMPOSSIBLE"


class Step(Enum):
    """What follows from a judgement."""

    NOTHING = "the answer stands as decided"
    ACCEPT = "it is payable in full"
    OPEN_CASE = "a person decides"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an answer stands: version 0 is undecided; `payable` in basis points."""

    version: int
    payable: int
    has_case: bool


def check_findings(probabilities: Iterable[float], shares: Iterable[int]) -> None:
    """Raises `FindingsImpossible` unless all lie where they may; one that is no number does not."""
    if not all(0 <= one <= 1 for one in probabilities) or not all(0 <= share <= ALL for share in shares):
        raise FindingsImpossible


def judge(standing: Standing, proposed: int) -> Step:
    """What follows when scoring proposes to pay `proposed` basis points for an answer."""
    if proposed >= ALL:
        return Step.ACCEPT if standing.version == 0 or standing.payable < ALL else Step.NOTHING
    if standing.version == 0 and not standing.has_case:
        return Step.OPEN_CASE
    return Step.NOTHING


def check_ruling(payable: int, ground: str, reason: str) -> None:
    """Raises `UnknownGround` or `ReasonTooShort` if less than all is to be payable without saying why."""
    if payable >= ALL:
        return
    if ground not in GROUNDS:
        raise UnknownGround(field="ground")
    if len(reason.strip()) < LEAST_REASON:
        raise ReasonTooShort(field="reason")
