"""Notes how many answers of a batch are decided, and releases its reserve once as many have been joined."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.tasking.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import parse_id
from services.payouts.context import Context
from services.payouts.usecases import release_reserves


async def react(tx: Transaction, events: Sequence[Event[events_pb2.BatchCompleted]], _: Context) -> None:
    """Raises `CompletionContradicted`."""
    completed = [event.message for event in events]
    ids = ((parse_id(m.batch_id, "batch_id"), parse_id(m.vendor_id, "vendor_id"), m.answers_decided) for m in completed)
    await release_reserves.complete(tx, {(batch, vendor): answers for batch, vendor, answers in ids})
