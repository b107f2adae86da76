"""Lists the results of a batch, in the order in which tasks were uploaded."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.rpc.call import NotYours

_BATCH = "SELECT state FROM batch WHERE batch_id = $1"

_ONE = """
SELECT task_id, item_key, state, result, confidence, answers_seen, scored_version, route, open_questions, decisions
FROM task WHERE task_id = $1 AND kind = 1
"""

# Positions repeat where a chunk was sent again with other tasks in it.
_PAGE = """
SELECT task_id, item_key, state, result, confidence, answers_seen, scored_version, position, route, open_questions,
       decisions, stop_reason
FROM task WHERE batch_id = $1 AND kind = 1 AND (position, task_id) > ($2::bigint, $3::uuid)
ORDER BY position, task_id LIMIT $4
"""


async def list_results(
    tx: Transaction, batch_id: UUID, after: tuple[int, UUID], limit: int
) -> tuple[int, list[asyncpg.Record]]:
    """The batch's state, and up to `limit` rows after a position and an id. Raises `NotYours`."""
    state: int | None = await tx.fetchval(_BATCH, batch_id)
    if state is None:
        raise NotYours
    return state, await tx.fetch(_PAGE, batch_id, *after, limit)


async def result_of(tx: Transaction, task_id: UUID) -> asyncpg.Record:
    """The row of one task, as `list_results` gives it. Raises `NotYours`."""
    row = await tx.fetchrow(_ONE, task_id)
    if row is None:
        raise NotYours
    return row
