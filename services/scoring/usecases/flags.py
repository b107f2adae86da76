"""Lists the flags that wait for a person, and decides about one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.db import Row, Transaction
from chassis.errors import FailedPrecondition, NotFound
from chassis.rpc.paging import PAGE_BYTES
from services.scoring.usecases.flag_raters import mute, told

# A member of a ring is flagged with all of its others.
_PAGE = """
WITH found AS (
    SELECT *, 50 * cardinality(others) + octet_length(evidence) AS bytes
    FROM rater_flag WHERE state = 1 AND (flagged_at, flag_id) > ($1::timestamptz, $2::uuid)
    ORDER BY flagged_at, flag_id LIMIT $3),
sized AS (
    SELECT *, row_number() OVER place AS place, sum(bytes) OVER place AS total, count(*) OVER () AS found
    FROM found WINDOW place AS (ORDER BY flagged_at, flag_id ROWS UNBOUNDED PRECEDING))
SELECT * FROM sized WHERE total <= $4 OR place = 1 ORDER BY place
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
    """Up to `limit` open flags after a time and an id: fewer, where they are large.

    Each row tells how many were `found` before any was left out for its size.
    """
    return await tx.fetch(_PAGE, *after, limit, PAGE_BYTES)


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
