"""Reads how far a rescore is."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Row, Transaction
from chassis.errors import NotFound

_LOAD = """
SELECT rescore_id, project_id, requested_by, requested_at, done_at, votes, tasks, changed
FROM rescore WHERE rescore_id = $1
"""


class RescoreNotFound(NotFound):
    """There is no such rescore."""

    reason = "RESCORE_NOT_FOUND"


async def get_rescore(tx: Transaction, rescore_id: UUID) -> Row:
    """The rescore, if the transaction's scope shows it. Raises `RescoreNotFound`."""
    row = await tx.fetchrow(_LOAD, rescore_id)
    if row is None:
        raise RescoreNotFound
    return row
