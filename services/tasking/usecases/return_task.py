"""Gives a task back unanswered, so that another expert can have it at once."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from services.tasking.domain.lease import SlotState, check_runs
from services.tasking.usecases.slots import end_slots, hold_of, lock_slot


async def return_task(tx: Transaction, slot_id: UUID, expert_id: UUID, fencing_token: int) -> None:
    """Ends the slot as returned. Raises `NotYours`, `WrongFencingToken`, `LeaseEnded` or `LeaseExpired`."""
    check_runs(hold_of(await lock_slot(tx, slot_id, expert_id)), fencing_token)
    await end_slots(tx, [slot_id], SlotState.RETURNED)
