"""Opens a batch: asks payouts to reserve its worst case. Experts can claim once that is done."""

from __future__ import annotations

from uuid import UUID

import asyncpg
from preceptor.tasking.v1 import events_pb2

from chassis import money
from chassis.db import Transaction
from chassis.rpc.call import NotYours
from services.tasking.domain.budget import WorstCase, check_cost, most_gold, worst_case
from services.tasking.domain.upload import BatchEmpty, BatchNotOpenable
from services.tasking.usecases.create_project import RateCardUnknown, TierUnknown

_OPENABLE = (1, 4)

_LOCK = """
SELECT b.batch_id, b.state, b.tasks, b.gold_items, b.attempt, b.vendor_id, b.project_id,
       p.max_answers, p.expected_seconds, p.tier, p.rate_card_id,
       r.version AS rate_card_version, r.currency, r.fee_basis_points, (r.rates ->> p.tier)::bigint AS rate
FROM batch b JOIN project p USING (project_id) LEFT JOIN rate_card r USING (rate_card_id)
WHERE b.batch_id = $1 FOR UPDATE OF b
"""

_VALIDATING = """
UPDATE batch SET state = 2, state_at = clock_timestamp(), state_reason = '', missing_minor = NULL,
                 attempt = attempt + 1, gold_most = $2
WHERE batch_id = $1
"""


async def open_batch(tx: Transaction, batch_id: UUID) -> None:
    """Starts the next attempt to fund a batch.

    Raises `NotYours`, `BatchNotOpenable`, `BatchEmpty`, `RateCardUnknown`, `TierUnknown`, `PriceTooLow` or
    `BatchTooCostly`.
    """
    batch = await tx.fetchrow(_LOCK, batch_id)
    if batch is None:
        raise NotYours
    if batch["state"] not in _OPENABLE:
        raise BatchNotOpenable
    if batch["tasks"] == 0:
        raise BatchEmpty
    if batch["rate_card_version"] is None:
        raise RateCardUnknown
    if batch["rate"] is None:
        raise TierUnknown
    price = money.price(batch["rate"], batch["expected_seconds"])
    gold = most_gold(batch["tasks"], batch["max_answers"], batch["gold_items"])
    cost = worst_case(batch["tasks"], batch["max_answers"], price, batch["fee_basis_points"], money.share, gold)
    check_cost(cost, money.GREATEST_AMOUNT, "name")
    await tx.execute(_VALIDATING, batch_id, gold)
    tx.emit(_request(batch, cost))


def _request(batch: asyncpg.Record, cost: WorstCase) -> events_pb2.BatchFundingRequested:
    """The event that asks for the money."""
    return events_pb2.BatchFundingRequested(
        batch_id=str(batch["batch_id"]),
        attempt=batch["attempt"] + 1,
        vendor_id=str(batch["vendor_id"]),
        project_id=str(batch["project_id"]),
        rate_card_id=str(batch["rate_card_id"]),
        rate_card_version=batch["rate_card_version"],
        currency=batch["currency"],
        tiers=[
            events_pb2.TierNeed(
                tier=batch["tier"],
                answers=cost.answers,
                surplus=cost.surplus,
                seconds_each=batch["expected_seconds"],
                amount_minor_each=cost.price_minor,
                times=cost.times,
            )
        ],
        fee_minor=cost.fee_minor,
        total_minor=cost.total_minor,
    )
