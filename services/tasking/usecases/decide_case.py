"""Lets a person decide a rejection case."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from preceptor.tasking.v1 import events_pb2

from chassis.db import Transaction
from chassis.errors import FailedPrecondition, NotFound
from services.tasking.domain.decision import ALL, OwnAnswer, check_ruling
from services.tasking.usecases.decide_answers import Decided, decide_answers

# The answer is locked first, as everywhere, so that the deadline and a re-score take their turn.
_LOCK = """
SELECT a.answer_id, c.decided_at, e.person_id
FROM rejection_case c JOIN answer a USING (answer_id) LEFT JOIN expert e USING (expert_id)
WHERE c.case_id = $1 FOR UPDATE OF a, c
"""

_CLOSE = """
UPDATE rejection_case SET decided_at = clock_timestamp(), decided_by = $2, reason = $3 WHERE case_id = $1
"""


class CaseNotFound(NotFound):
    """There is no such case."""

    reason = "CASE_NOT_FOUND"


class CaseDecided(FailedPrecondition):
    """The case is decided already, by a person or by its deadline."""

    reason = "CASE_DECIDED"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a reviewer decides; `payable` in basis points."""

    case_id: UUID
    payable: int
    ground: str
    reason: str
    reviewer: UUID
    reviewer_person: UUID


async def decide_case(tx: Transaction, ruling: Ruling) -> int:
    """Decides a case; returns the version of the decision about its answer.

    Raises `UnknownGround`, `ReasonTooShort`, `CaseNotFound`, `CaseDecided` or `OwnAnswer`.
    """
    check_ruling(ruling.payable, ruling.ground, ruling.reason)
    case = await tx.fetchrow(_LOCK, ruling.case_id)
    if case is None:
        raise CaseNotFound
    if case["decided_at"] is not None:
        raise CaseDecided
    if case["person_id"] == ruling.reviewer_person:
        raise OwnAnswer
    await tx.execute(_CLOSE, ruling.case_id, ruling.reviewer, ruling.reason)
    ground = ruling.ground if ruling.payable < ALL else ""
    decided = Decided(case["answer_id"], ruling.payable, events_pb2.DECIDED_BY_PERSON, ground)
    return (await decide_answers(tx, [decided]))[case["answer_id"]]
