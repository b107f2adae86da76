"""Gives an expert what they hold, and what they may still hand in late: each with its draft. Nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.rpc.paging import PAGE_BYTES
from services.tasking.domain.lease import answerable
from services.tasking.usecases.slots import BATCH_OPEN, hold_of, seats_of

# Without what is large: that is read for the page only. Each half has an index of its own.
_FIND = """
WITH mine AS (
    SELECT * FROM slot WHERE expert_id = $1 AND state = 1
    UNION ALL
    SELECT * FROM slot WHERE expert_id = $1 AND state = 4 AND expires_at > clock_timestamp() - $3::interval)
SELECT s.slot_id, s.state, s.fencing_token, s.expires_at, p.max_answers, clock_timestamp() AS now,
       t.seats_taken, t.answers_wanted, t.surplus_taken, t.state AS task_state, b.state AS batch_state,
       octet_length(t.payload) + octet_length(p.instructions) + coalesce(octet_length(s.draft), 0) AS bytes
FROM mine s JOIN task t USING (task_id) JOIN batch b ON b.batch_id = s.batch_id
JOIN project p ON p.project_id = s.project_id
WHERE $2::uuid IS NULL OR s.slot_id < $2
ORDER BY s.slot_id DESC
"""

_READ = """
SELECT s.*, t.payload, p.instructions, p.expected_seconds, s.expires_at + $2::interval AS answer_until,
       s.expires_at <= clock_timestamp() OR s.state <> 1 AS late
FROM slot s JOIN task t USING (task_id) JOIN project p ON p.project_id = s.project_id
WHERE s.slot_id = ANY ($1) ORDER BY s.slot_id DESC
"""


@dataclass(frozen=True, slots=True)
class Page:
    """Slots with payload and instructions, the newest first, and whether there are more after them."""

    rows: Sequence[asyncpg.Record]
    more: bool


async def get_held_tasks(tx: Transaction, expert_id: UUID, before: UUID | None, limit: int, grace: timedelta) -> Page:
    """Up to `limit` of the expert's slots that would take an answer now, of those older than the slot `before`.

    A page ends early rather than grow beyond `PAGE_BYTES`; one task is always given whole.
    """
    found = [
        row
        for row in await tx.fetch(_FIND, expert_id, before, grace)
        if answerable(hold_of(row), grace, seats_of(row, row), row["batch_state"] == BATCH_OPEN)
    ]
    taken, total = 0, 0
    for row in found[:limit]:
        total += row["bytes"]
        if taken and total > PAGE_BYTES:
            break
        taken += 1
    rows = await tx.fetch(_READ, [row["slot_id"] for row in found[:taken]], grace) if taken else []
    return Page(rows, taken < len(found))
