"""What metrics tell of tasking's rows: each a statement that an index answers, or one that is asked seldom."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.tasking.v1.batch_pb2 import BatchState
from preceptor.work.v1.work_pb2 import Domain, TaskType

from chassis.db import Transaction
from chassis.telemetry import metrics
from chassis.telemetry.readings import SELDOM, Reading, Rows, statement

_COMPLETED = BatchState.BATCH_STATE_COMPLETED
_SHOWN = [number for number in BatchState.values() if number not in (0, _COMPLETED)]

_BATCHES = f"SELECT state, count(*) AS batches FROM batch WHERE state <> {_COMPLETED} GROUP BY state"  # noqa: S608

_OPEN = """
SELECT p.task_type, p.domain, sum(b.tasks - b.closed)::bigint AS tasks
FROM batch b JOIN project p USING (project_id) WHERE b.state = 3 GROUP BY p.task_type, p.domain
"""

# Who may claim is what `claim_task.py` asks; a locale fits as in `domain/locale.py`, read from the project's side. That
# those who may have had all tasks of a batch already is not seen here.
_UNTAKEABLE = """
WITH wanted AS (
    SELECT p.task_type, p.domain, p.required_claims, p.locale, sum(b.tasks - b.closed)::bigint AS tasks
    FROM batch b JOIN project p USING (project_id) WHERE b.state = 3
    GROUP BY p.task_type, p.domain, p.required_claims, p.locale)
SELECT w.task_type, w.domain, sum(w.tasks) FILTER (WHERE NOT EXISTS (
    SELECT FROM expert e WHERE e.active AND e.claims @> w.required_claims
      AND EXISTS (SELECT FROM unnest(e.locales) AS own
                  WHERE w.locale || '-' LIKE own || '-%' OR own LIKE w.locale || '-%')))::bigint AS tasks
FROM wanted w GROUP BY w.task_type, w.domain
"""

_OVERDUE = """
SELECT count(*) AS leases FROM slot
WHERE state = 1 AND expires_at > '-infinity' AND expires_at <= statement_timestamp() - interval '1 minute'
"""


async def _batches(tx: Transaction, _: object) -> Rows:
    found = {row["state"]: row["batches"] for row in await tx.fetch(_BATCHES)}
    names = {number: BatchState.Name(number).removeprefix("BATCH_STATE_").lower() for number in _SHOWN}
    return [{"state": name, "batches": found.get(number, 0)} for number, name in names.items()]


async def _open(tx: Transaction, _: object) -> Rows:
    return await _by_kind(tx, _OPEN)


async def _untakeable(tx: Transaction, _: object) -> Rows:
    return await _by_kind(tx, _UNTAKEABLE)


async def _by_kind(tx: Transaction, sql: str) -> Rows:
    """Tasks by the names of type and domain."""
    return [
        {
            "task_type": TaskType.Name(row["task_type"]).removeprefix("TASK_TYPE_").lower(),
            "domain": Domain.Name(row["domain"]).removeprefix("DOMAIN_").lower(),
            "tasks": row["tasks"],
        }
        for row in await tx.fetch(sql)
    ]


READINGS: Sequence[Reading[object]] = (
    Reading("batches", _batches, {"batches": metrics.BATCHES}),
    Reading("open-tasks", _open, {"tasks": metrics.OPEN_TASKS}),
    Reading("untakeable-tasks", _untakeable, {"tasks": metrics.UNTAKEABLE_TASKS}, SELDOM),
    Reading("leases-overdue", statement(_OVERDUE), {"leases": metrics.LEASES_OVERDUE}),
)
"""All of them."""
