"""Writes what raters' records gain, by tasks that closed and by gold: one statement for all of a transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from chassis.db import Transaction
from services.scoring.domain.reliability import Record

# In the order of keys, so that two transactions with raters in common wait for each other and never in a ring.
_WRITE = """
INSERT INTO rater (expert_id, task_type, domain, correct, total)
SELECT expert_id, task_type, domain, sum(correct), sum(total)
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::double precision[], $5::double precision[])
     AS n (expert_id, task_type, domain, correct, total)
GROUP BY expert_id, task_type, domain
ORDER BY expert_id, task_type, domain
ON CONFLICT (expert_id, task_type, domain)
DO UPDATE SET correct = rater.correct + excluded.correct, total = rater.total + excluded.total
"""


@dataclass(frozen=True, slots=True)
class RecordChange:
    """What one rater's record of a task type and domain gains; less than nothing where a credit is taken back."""

    expert_id: UUID
    task_type: int
    domain: int
    gained: Record


async def write_records(tx: Transaction, changes: Sequence[RecordChange]) -> None:
    """Adds the changes to the records."""
    if not changes:
        return
    await tx.execute(
        _WRITE,
        [change.expert_id for change in changes],
        [change.task_type for change in changes],
        [change.domain for change in changes],
        [change.gained.correct for change in changes],
        [change.gained.total for change in changes],
    )
