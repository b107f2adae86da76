"""Lists the flags that wait for a person, and decides about one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.db import Row, Transaction
from chassis.errors import FailedPrecondition, NotFound
from services.scoring.usecases.flag_raters import mute, told

_PAGE = """
SELECT * FROM rater_flag WHERE state = 1 AND (flagged_at, flag_id) > ($1::timestamptz, $2::uuid)
ORDER BY flagged_at, flag_id LIMIT $3
"""

_LOCK = "SELECT state FROM rater_flag WHERE flag_id = $1 FOR UPDATE"

_DECIDE = """
UPDATE rater_flag SET state = $2, reason = $3, decided_by = $4, decided_at = now() WHERE flag_id = $1 RETURNING *
"""

_OPEN, _CLEARED = 1, 2


class FlagNotFound(NotFound):
    """There is no such flag."""

    reason = "FLAG_NOT_FOUND"


class FlagDecided(FailedPrecondition):
    """Another person has decided about the flag."""

    reason = "FLAG_DECIDED"


async def list_flags(tx: Transaction, after: tuple[datetime, UUID], limit: int) -> list[Row]:
    """Up to `limit` open flags after a time and an id."""
    return await tx.fetch(_PAGE, *after, limit)


async def decide_flag(tx: Transaction, flag_id: UUID, state: int, reason: str, decided_by: UUID) -> Row:
    """Decides about an open flag, tells it, and has the rater's projects fitted anew if it is cleared.

    Raises `FlagNotFound` or `FlagDecided`.
    """
    known = await tx.fetchrow(_LOCK, flag_id)
    if known is None:
        raise FlagNotFound
    if known["state"] != _OPEN:
        raise FlagDecided
    [row] = await tx.fetch(_DECIDE, flag_id, state, reason, decided_by)
    if state == _CLEARED:
        await mute(tx, [row["expert_id"]])
    tx.emit(told(row))
    return row
