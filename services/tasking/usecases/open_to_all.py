"""Timer: gives tasks to anybody that have waited for a senior long enough, so that none is stuck for lack of them."""

from __future__ import annotations

from chassis.db import Transaction
from services.tasking.context import Context

# Waits for nobody, so that it need not lock in key order.
_OPEN = """
WITH due AS (
    SELECT task_id FROM task WHERE senior_until <= statement_timestamp()
    ORDER BY senior_until LIMIT 500 FOR NO KEY UPDATE SKIP LOCKED)
UPDATE task t SET route = 1, skill_wanted = 0, senior_until = NULL FROM due d WHERE t.task_id = d.task_id
RETURNING t.task_id
"""


async def tick(tx: Transaction, _: Context) -> int:
    """Opens up to 500 tasks; returns how many."""
    return len(await tx.fetch(_OPEN))
