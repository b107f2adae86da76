"""Writes decisions about answers and tells them. Everything that makes an answer payable goes through here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from preceptor.tasking.v1 import events_pb2

from chassis.db import Transaction

# A person's own decision has closed its case already; consensus and deadline close those that are still open.
_WRITE = """
WITH closed AS (
    UPDATE rejection_case SET decided_at = clock_timestamp(), reason = 'Accepted without a decision about the case.'
    WHERE answer_id = ANY ($1) AND decided_at IS NULL)
UPDATE answer a SET decision_version = a.decision_version + 1, payable_basis_points = d.payable,
                    decided_by = d.decided_by, ground = d.ground, decided_at = clock_timestamp()
FROM unnest($1::uuid[], $2::integer[], $3::smallint[], $4::text[]) AS d (answer_id, payable, decided_by, ground)
WHERE a.answer_id = d.answer_id
RETURNING a.answer_id, a.task_id, a.batch_id, a.decision_version, d.payable, d.decided_by, d.ground, a.trace_id
"""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision about one answer; `payable` in basis points. `traceparent` is of the event that caused it, if any."""

    answer_id: UUID
    payable: int
    decided_by: events_pb2.DecidedBy.ValueType
    ground: str = ""
    traceparent: str = ""


async def decide_answers(tx: Transaction, decisions: Sequence[Decided]) -> dict[UUID, int]:
    """Writes decisions about answers that the caller has locked, and emits one `AnswersDecided` a task.

    Returns the version of each decision by answer.
    """
    if not decisions:
        return {}
    rows = await tx.fetch(
        _WRITE,
        [decided.answer_id for decided in decisions],
        [decided.payable for decided in decisions],
        [decided.decided_by for decided in decisions],
        [decided.ground for decided in decisions],
    )
    by_task: defaultdict[UUID, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        by_task[row["task_id"]].append(row)
    traces = {decided.answer_id: decided.traceparent for decided in decisions}
    for task_id in sorted(by_task):
        tx.emit(_event(task_id, by_task[task_id]), traceparent=traces[by_task[task_id][0]["answer_id"]] or None)
    return {row["answer_id"]: row["decision_version"] for row in rows}


def _event(task_id: UUID, rows: Sequence[asyncpg.Record]) -> events_pb2.AnswersDecided:
    return events_pb2.AnswersDecided(
        task_id=str(task_id),
        batch_id=str(rows[0]["batch_id"]),
        decisions=[
            events_pb2.Decision(
                answer_id=str(row["answer_id"]),
                version=row["decision_version"],
                payable_basis_points=row["payable"],
                decided_by=row["decided_by"],
                ground=row["ground"],
                trace_id=row["trace_id"] or "",
            )
            for row in sorted(rows, key=lambda row: str(row["answer_id"]))
        ],
    )
