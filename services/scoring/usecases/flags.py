"""Lists the flags that wait for a person, and decides about one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.db import Row, Transaction
from chassis.errors import FailedPrecondition, NotFound
from services.scoring.usecases.flag_raters import mute, told

_PAGE = """
SELECT * FROM rater_flag WHERE state = 1 AND (flagged_at, flag_id) > ($1::timestamptz, $2::uuid)
ORDER BY flagged_at, flag_id LIMIT $3
"""

_ONE = "SELECT * FROM rater_flag WHERE flag_id = $1"

# A flag of a ring is about all of its members.
_LOCK = """
SELECT state, EXISTS (SELECT FROM expert WHERE person_id = $2 AND expert_id = ANY (f.others || f.expert_id)) AS own
FROM rater_flag f WHERE flag_id = $1 FOR UPDATE
"""

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


class OwnFlag(FailedPrecondition):
    """The flag is about an account of yours, or about somebody who is said to copy from it: another person decides."""

    reason = "OWN_FLAG"


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a reviewer decides: the new state, and why."""

    flag_id: UUID
    state: int
    reason: str
    reviewer: UUID
    reviewer_person: UUID


async def list_flags(tx: Transaction, after: tuple[datetime, UUID], limit: int) -> list[Row]:
    """Up to `limit` open flags after a time and an id."""
    return await tx.fetch(_PAGE, *after, limit)


async def get_flag(tx: Transaction, flag_id: UUID) -> Row:
    """A flag, whatever was decided about it. Raises `FlagNotFound`."""
    row = await tx.fetchrow(_ONE, flag_id)
    if row is None:
        raise FlagNotFound
    return row


async def decide_flag(tx: Transaction, ruling: Ruling) -> Row:
    """Decides about an open flag, tells it, and has the rater's projects fitted anew if it is cleared.

    Raises `FlagNotFound`, `FlagDecided` or `OwnFlag`.
    """
    known = await tx.fetchrow(_LOCK, ruling.flag_id, ruling.reviewer_person)
    if known is None:
        raise FlagNotFound
    if known["state"] != _OPEN:
        raise FlagDecided
    if known["own"]:
        raise OwnFlag
    [row] = await tx.fetch(_DECIDE, ruling.flag_id, ruling.state, ruling.reason, ruling.reviewer)
    if ruling.state == _CLEARED:
        await mute(tx, [row["expert_id"]])
    tx.emit(told(row))
    return row
