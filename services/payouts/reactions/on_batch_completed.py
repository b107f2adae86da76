"""Notes how many answers and times a batch has, and releases its reserve once as many have been joined."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.tasking.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import parse_id
from services.payouts.context import Context
from services.payouts.usecases import release_reserves
from services.payouts.usecases.release_reserves import Completion


async def react(tx: Transaction, events: Sequence[Event[events_pb2.BatchCompleted]], _: Context) -> None:
    """Raises `CompletionContradicted`."""
    await release_reserves.complete(tx, [_completion(event.message) for event in events])


def _completion(done: events_pb2.BatchCompleted) -> Completion:
    batch_id, vendor_id = parse_id(done.batch_id, "batch_id"), parse_id(done.vendor_id, "vendor_id")
    return Completion(batch_id, vendor_id, done.answers_decided, done.times_recorded)
