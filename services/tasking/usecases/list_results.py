"""Lists the results of a batch, in the order in which tasks were uploaded."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.rpc.call import NotYours
from chassis.rpc.paging import PAGE_BYTES

_BATCH = "SELECT state FROM batch WHERE batch_id = $1"

_ONE = """
SELECT task_id, item_key, state, result, confidence, answers_seen, scored_version, route, open_questions, decisions,
       stop_reason
FROM task WHERE task_id = $1 AND kind = 1
"""

# Positions repeat where a chunk was sent again with other tasks in it. What is large is read for the page only.
_PAGE = """
WITH found AS (
    SELECT task_id, item_key, state, result, confidence, answers_seen, scored_version, position, route, open_questions,
           decisions, stop_reason,
           coalesce(octet_length(result), 0) + coalesce(octet_length(open_questions), 0) + octet_length(decisions)
               + octet_length(item_key) AS bytes
    FROM task WHERE batch_id = $1 AND kind = 1 AND (position, task_id) > ($2::bigint, $3::uuid)
    ORDER BY position, task_id LIMIT $4),
sized AS (
    SELECT *, row_number() OVER place AS place, sum(bytes) OVER place AS total, count(*) OVER () AS found
    FROM found WINDOW place AS (ORDER BY position, task_id ROWS UNBOUNDED PRECEDING))
SELECT * FROM sized WHERE total <= $5 OR place = 1 ORDER BY place
"""


async def list_results(
    tx: Transaction, batch_id: UUID, after: tuple[int, UUID], limit: int
) -> tuple[int, list[asyncpg.Record]]:
    """The batch's state, and up to `limit` rows after a position and an id: fewer, where they are large.

    Each row tells how many were `found` before any was left out for its size. Raises `NotYours`.
    """
    state: int | None = await tx.fetchval(_BATCH, batch_id)
    if state is None:
        raise NotYours
    return state, await tx.fetch(_PAGE, batch_id, *after, limit, PAGE_BYTES)


async def result_of(tx: Transaction, task_id: UUID) -> asyncpg.Record:
    """The row of one task, as `list_results` gives it. Raises `NotYours`."""
    row = await tx.fetchrow(_ONE, task_id)
    if row is None:
        raise NotYours
    return row
