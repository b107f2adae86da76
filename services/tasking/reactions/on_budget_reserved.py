"""Opens a batch whose money is reserved, and keeps the reserved terms for its claims."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import asyncpg
from preceptor.payouts.v1 import events_pb2
from preceptor.tasking.v1 import events_pb2 as tasking_events

from chassis import money
from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context
from services.tasking.usecases.create_project import TierUnknown

_OPENING = """
SELECT b.batch_id, b.attempt, p.tier, p.expected_seconds FROM batch b JOIN project p USING (project_id)
WHERE b.batch_id = ANY ($1) AND b.state = 2 ORDER BY b.batch_id FOR UPDATE OF b
"""

_OPEN = """
UPDATE batch b SET state = 3, state_at = clock_timestamp(), rate_card_version = new.version,
                   currency = new.currency, price_minor = new.price,
                   fee_basis_points = new.fee, reserved_minor = new.reserved
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::integer[], $6::bigint[])
     AS new (batch_id, version, currency, price, fee, reserved)
WHERE b.batch_id = new.batch_id
RETURNING b.batch_id, b.vendor_id, b.project_id, b.tasks
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.BudgetReserved]], _: Context) -> None:
    """Opens the batches that wait for exactly this attempt. Raises `UnknownCurrency`, `TierUnknown`."""
    waiting = {row["batch_id"]: row for row in await tx.fetch(_OPENING, [UUID(e.message.batch_id) for e in events])}
    causes = {
        UUID(event.message.batch_id): event
        for event in events
        if (row := waiting.get(UUID(event.message.batch_id))) and row["attempt"] == event.message.attempt
    }
    granted = {id_: event.message for id_, event in causes.items()}
    prices = {id_: _price(granted[id_], waiting[id_]["tier"], waiting[id_]["expected_seconds"]) for id_ in granted}
    opened = await tx.fetch(
        _OPEN,
        list(granted),
        [reserved.rate_card_version for reserved in granted.values()],
        [money.known(reserved.currency) for reserved in granted.values()],
        list(prices.values()),
        [reserved.fee_basis_points for reserved in granted.values()],
        [reserved.reserved_minor for reserved in granted.values()],
    )
    for row in opened:
        tx.emit(_opened(row), traceparent=causes[row["batch_id"]].traceparent or None)


def _opened(row: asyncpg.Record) -> tasking_events.BatchOpened:
    return tasking_events.BatchOpened(
        batch_id=str(row["batch_id"]),
        vendor_id=str(row["vendor_id"]),
        project_id=str(row["project_id"]),
        tasks=row["tasks"],
    )


def _price(reserved: events_pb2.BudgetReserved, tier: str, seconds: int) -> int:
    """What one answer is paid by the reserved terms: between their floor and their cap, in minor units.

    Raises `TierUnknown` if they do not name the project's tier.
    """
    terms = next((terms for terms in reserved.tiers if terms.tier == tier), None)
    if terms is None:
        raise TierUnknown(batch_id=reserved.batch_id, tier=tier)
    return max(terms.floor_minor, min(terms.cap_minor, money.price(terms.rate_minor_per_hour, seconds)))
