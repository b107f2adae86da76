"""Keeps what a complete batch has given back, and what of its reserve is kept."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context

_RELEASED = """
UPDATE batch b SET released_minor = new.released, kept_minor = new.kept
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS new (batch_id, released, kept)
WHERE b.batch_id = new.batch_id AND b.released_minor IS NULL
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.BudgetReleased]], _: Context) -> None:
    """A batch gives back once, and the event says the whole of it: the first stands."""
    told = {UUID(event.message.batch_id): event.message for event in events}
    released, kept = [m.released_minor for m in told.values()], [m.kept_minor for m in told.values()]
    await tx.execute(_RELEASED, list(told), released, kept)
