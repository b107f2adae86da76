"""Halts a batch whose money is not reserved, and keeps why."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis import money
from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context

_HALT = """
UPDATE batch b SET state = 4, state_at = clock_timestamp(), state_reason = new.reason, missing_minor = new.missing,
                   currency = new.currency
FROM unnest($1::uuid[], $2::integer[], $3::text[], $4::bigint[], $5::text[])
     AS new (batch_id, attempt, reason, missing, currency)
WHERE b.batch_id = new.batch_id AND b.attempt = new.attempt AND b.state = 2
"""

# A refusal that only a newer payouts knows halts the batch as well.
_REASONS = {value: name.removeprefix("BUDGET_REFUSAL_") for name, value in events_pb2.BudgetRefusal.items()}


async def react(tx: Transaction, events: Sequence[Event[events_pb2.BudgetRefused]], _: Context) -> None:
    """Halts the batches that wait for exactly this attempt. Raises `UnknownCurrency`."""
    refused = [event.message for event in events]
    await tx.execute(
        _HALT,
        [UUID(message.batch_id) for message in refused],
        [message.attempt for message in refused],
        [_REASONS.get(message.refusal, "UNSPECIFIED") for message in refused],
        [message.missing_minor if message.currency else None for message in refused],
        [money.known(message.currency) if message.currency else None for message in refused],
    )
