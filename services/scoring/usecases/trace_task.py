"""Tells operators what scoring has done about a task: whose answers it has counted, and how it was scored last."""

from __future__ import annotations

from uuid import UUID

from preceptor.scoring.v1.events_pb2 import Verdict

from chassis.db import Transaction
from chassis.ops.trace import Step

_STATE = """
SELECT version, verdict, answers_seen, answers_wanted, confidence, updated_at FROM task_state WHERE task_id = $1
"""

_VOTES = """
SELECT answer_id, expert_id, submitted_at, surplus FROM vote WHERE task_id = $1 AND NOT is_model(expert_id)
GROUP BY answer_id, expert_id, submitted_at, surplus
"""


async def trace_task(tx: Transaction, _: object, task_id: UUID) -> list[Step]:
    """The steps; none for a task without an answer. Scoring keeps the last scoring only."""
    state = await tx.fetchrow(_STATE, task_id)
    if state is None:
        return []
    votes = [
        Step(row["submitted_at"], "answer counted", {"answers": row["answer_id"], "experts": row["expert_id"]})
        for row in await tx.fetch(_VOTES, task_id)
    ]
    verdict = Verdict.Name(state["verdict"]).removeprefix("VERDICT_").lower()
    detail = (
        f"version {state['version']}: {verdict}, confidence {state['confidence']:.3f}, "
        f"{state['answers_seen']} of {state['answers_wanted']} answers"
    )
    return [*votes, Step(state["updated_at"], "task scored", {"tasks": task_id}, detail)]
