"""Timer: accepts answers that nobody has decided in time. Silence is never against the expert."""

from __future__ import annotations

from preceptor.tasking.v1 import events_pb2

from chassis.db import Transaction
from services.tasking.context import Context
from services.tasking.domain.decision import ALL
from services.tasking.usecases.decide_answers import Decided, decide_answers

_DUE = """
SELECT answer_id FROM answer WHERE decision_version = 0 AND decide_by <= statement_timestamp()
ORDER BY decide_by LIMIT 500 FOR UPDATE SKIP LOCKED
"""


async def tick(tx: Transaction, _: Context) -> int:
    """Accepts up to 500 answers; returns how many."""
    due = [row["answer_id"] for row in await tx.fetch(_DUE)]
    await decide_answers(tx, [Decided(id_, ALL, events_pb2.DECIDED_BY_DEADLINE) for id_ in due])
    return len(due)
