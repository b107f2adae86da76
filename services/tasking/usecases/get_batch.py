"""Gives a batch with its progress and cost."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.rpc.call import NotYours

_SELECT = """
SELECT b.*,
       (SELECT count(*) FROM task t WHERE t.batch_id = b.batch_id AND t.kind = 1 AND t.state = 3) AS resolved,
       (SELECT count(*) FROM task t WHERE t.batch_id = b.batch_id AND t.kind = 1 AND t.state = 4) AS unresolved,
       a.answers, a.shares, p.max_answers, p.expected_seconds,
       ARRAY(SELECT t.seconds FROM paid_time t WHERE t.batch_id = b.batch_id ORDER BY t.recorded_at) AS paid_seconds
FROM batch b JOIN project p USING (project_id),
     LATERAL (
         SELECT coalesce(sum(n), 0)::bigint AS answers,
                coalesce(jsonb_object_agg(payable, n) FILTER (WHERE payable IS NOT NULL), '{}') AS shares
         FROM (SELECT payable_basis_points AS payable, count(*) AS n FROM answer
               WHERE batch_id = b.batch_id GROUP BY 1) AS grouped
     ) AS a
WHERE b.batch_id = $1
"""


async def get_batch(tx: Transaction, batch_id: UUID) -> asyncpg.Record:
    """The batch's row with counts; `shares` maps basis points to the number of answers payable at them.

    Raises `NotYours`.
    """
    row = await tx.fetchrow(_SELECT, batch_id)
    if row is None:
        raise NotYours
    return row
