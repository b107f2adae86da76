"""Keeps a lease alive, with or without a draft of the answer."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import Aborted
from services.tasking.domain.lease import check_runs, check_submittable
from services.tasking.settings import TaskingSettings
from services.tasking.usecases.slots import hold_of, lock_slot

_EXTEND = """
UPDATE slot SET expires_at = least(clock_timestamp() + $2::interval, leased_at + $3::interval),
                seen_at = clock_timestamp()
WHERE slot_id = $1 RETURNING expires_at
"""

_SAVE = """
UPDATE slot SET draft = $4, draft_version = draft_version + 1, seen_at = clock_timestamp(),
                expires_at = least(clock_timestamp() + $2::interval, leased_at + $3::interval)
WHERE slot_id = $1 RETURNING expires_at
"""

# No sign of life: the time of an ended lease is not paid by it.
_SAVE_LATE = "UPDATE slot SET draft = $2, draft_version = draft_version + 1 WHERE slot_id = $1 RETURNING expires_at"


class DraftVersionStale(Aborted):
    """Another draft was saved meanwhile, perhaps in another window: load it with GetHeldTasks."""

    reason = "DRAFT_VERSION_STALE"
    retryable = False


async def heartbeat(
    tx: Transaction, slot_id: UUID, expert_id: UUID, fencing_token: int, settings: TaskingSettings
) -> datetime:
    """When the lease ends now. Raises `NotYours`, `WrongFencingToken`, `LeaseEnded` or `LeaseExpired`."""
    slot = await lock_slot(tx, slot_id, expert_id)
    check_runs(hold_of(slot), fencing_token)
    expires_at: datetime = await tx.fetchval(_EXTEND, slot_id, slot["lease"], settings.greatest_hold)
    return expires_at


async def save_draft(
    tx: Transaction,
    slot_id: UUID,
    expert_id: UUID,
    fencing_token: int,
    draft: bytes,
    base_version: int,
    settings: TaskingSettings,
) -> tuple[int, datetime]:
    """Saves a draft if it is made from the version that stands; returns its version and when the lease ends now.

    Within the late grace, in which an answer is taken, its draft is saved too: but the lease stays over.
    Raises `NotYours`, `WrongFencingToken`, `LeaseEnded`, `AnswerWindowClosed` or `DraftVersionStale`.
    """
    slot = await lock_slot(tx, slot_id, expert_id)
    in_time = check_submittable(hold_of(slot), fencing_token, settings.late_grace)
    if slot["draft_version"] != base_version:
        raise DraftVersionStale(field="base_version", draft_version=str(slot["draft_version"]))
    expires_at: datetime
    if in_time:
        expires_at = await tx.fetchval(_SAVE, slot_id, slot["lease"], settings.greatest_hold, draft)
    else:
        expires_at = await tx.fetchval(_SAVE_LATE, slot_id, draft)
    return base_version + 1, expires_at
