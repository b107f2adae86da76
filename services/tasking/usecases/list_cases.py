"""Lists the open rejection cases, the one that is due first ahead."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.db import Transaction

_PAGE = """
SELECT c.*, a.task_id, a.active_seconds, a.idle_seconds, a.submitted_at, s.leased_at, s.expires_at
FROM rejection_case c JOIN answer a USING (answer_id) JOIN slot s USING (slot_id)
WHERE c.decided_at IS NULL AND (c.due_at, c.case_id) > ($1::timestamptz, $2::uuid)
ORDER BY c.due_at, c.case_id LIMIT $3
"""


async def list_cases(tx: Transaction, after: tuple[datetime, UUID], limit: int) -> list[asyncpg.Record]:
    """Up to `limit` cases after a due time and an id."""
    return await tx.fetch(_PAGE, *after, limit)
