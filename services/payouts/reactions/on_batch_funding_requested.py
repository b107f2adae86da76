"""Reserves a batch's worst case from its vendor's prefund, or says why not."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.tasking.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import parse_id
from services.payouts.context import Context
from services.payouts.domain.funding import FundingRequest, Need
from services.payouts.usecases.reserve_budget import reserve


async def react(tx: Transaction, events: Sequence[Event[events_pb2.BatchFundingRequested]], _: Context) -> None:
    """Each attempt is answered once, by `BudgetReserved` or `BudgetRefused`."""
    traces = {UUID(event.message.batch_id): event.traceparent for event in events}
    await reserve(tx, [_request(event.message) for event in events], traces)


def _request(asked: events_pb2.BatchFundingRequested) -> FundingRequest:
    return FundingRequest(
        batch_id=parse_id(asked.batch_id, "batch_id"),
        attempt=asked.attempt,
        vendor_id=parse_id(asked.vendor_id, "vendor_id"),
        project_id=parse_id(asked.project_id, "project_id"),
        rate_card_id=parse_id(asked.rate_card_id, "rate_card_id"),
        rate_card_version=asked.rate_card_version,
        currency=asked.currency,
        needs=tuple(_need(tier) for tier in asked.tiers),
        fee=asked.fee_minor,
        total=asked.total_minor,
    )


def _need(tier: events_pb2.TierNeed) -> Need:
    return Need(tier.tier, tier.answers, tier.surplus, tier.seconds_each, tier.amount_minor_each, tier.times)
