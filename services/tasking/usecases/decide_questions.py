"""Takes a vendor's decisions about questions of a task that experts could not settle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from preceptor.tasking.v1.events_pb2 import QuestionsDecided
from preceptor.work.v1.work_pb2 import (
    ROUTE_UNSPECIFIED,
    ROUTE_VENDOR,
    OpenQuestion,
    OpenQuestions,
    QuestionDecision,
    QuestionDecisions,
)

from chassis.db import Row, Transaction
from chassis.rpc.call import NotYours
from services.tasking.domain.questions import check

_LOCK = """
SELECT task_id, batch_id, vendor_id, open_questions, decisions FROM task WHERE task_id = $1 AND kind = 1 FOR UPDATE
"""

# What is left open is NULL where nothing is: then the task is resolved.
_DECIDE = """
UPDATE task SET decisions = $2, open_questions = $3, route = $4, state = CASE WHEN $3::bytea IS NULL THEN 3 ELSE 4 END
WHERE task_id = $1
RETURNING task_id, item_key, state, result, confidence, answers_seen, scored_version, route, open_questions, decisions,
          stop_reason
"""


async def decide_questions(tx: Transaction, task_id: UUID, decisions: Sequence[QuestionDecision]) -> Row:
    """Adds decisions to a task; gives its row as `list_results` does.

    Raises `NotYours`, `QuestionNotOpen` or `UnknownLabel`.
    """
    task = await tx.fetchrow(_LOCK, task_id)
    if task is None:
        raise NotYours
    asked = OpenQuestions.FromString(task["open_questions"] or b"").questions
    check([(each.question, each.label) for each in decisions], {each.id: each.labels for each in asked})
    decided = QuestionDecisions.FromString(task["decisions"])
    decided.decisions.extend(decisions)
    left = still_open(asked, decisions)
    written = await tx.fetchrow(
        _DECIDE,
        task_id,
        decided.SerializeToString(deterministic=True),
        left.SerializeToString(deterministic=True) or None,
        ROUTE_VENDOR if left.questions else ROUTE_UNSPECIFIED,
    )
    assert written is not None, "the row is locked"
    tx.emit(
        QuestionsDecided(
            task_id=str(task_id),
            batch_id=str(task["batch_id"]),
            vendor_id=str(task["vendor_id"]),
            decisions=decisions,
            open=len(left.questions),
        )
    )
    return written


def still_open(asked: Iterable[OpenQuestion], decided: Iterable[QuestionDecision]) -> OpenQuestions:
    """Those of the questions that are not decided."""
    known = {decision.question for decision in decided}
    return OpenQuestions(questions=[question for question in asked if question.id not in known])
