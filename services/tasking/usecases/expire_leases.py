"""Timer: ends leases that have run out, so that their seats are free. Drafts and late answers stay possible."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from services.tasking.context import Context
from services.tasking.domain.lease import SlotState
from services.tasking.usecases.slots import end_slots

# The statement's own time, which an index can be read by; the clock's may differ from row to row.
_DUE = """
SELECT slot_id FROM slot WHERE state = 1 AND expires_at > '-infinity' AND expires_at <= statement_timestamp()
ORDER BY expires_at LIMIT 500 FOR UPDATE SKIP LOCKED
"""


async def tick(tx: Transaction, _: Context) -> int:
    """Ends up to 500 leases; returns how many."""
    due: list[UUID] = [row["slot_id"] for row in await tx.fetch(_DUE)]
    if due:
        await end_slots(tx, due, SlotState.EXPIRED)
    return len(due)
