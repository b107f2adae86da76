"""Pays time of which no answer came, at the terms of its batch's reserve."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC

from preceptor.tasking.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import parse_id
from services.payouts.context import Context
from services.payouts.domain.paid_time import Time
from services.payouts.usecases.pay_times import pay_times


async def react(tx: Transaction, events: Sequence[Event[events_pb2.TimeRecorded]], context: Context) -> None:
    """Raises what `pay_times` does."""
    times = [_time(event.message) for event in events]
    traces = {time.time_id: event.traceparent for time, event in zip(times, events, strict=True)}
    await pay_times(tx, times, context.hold_rules, traces)


def _time(event: events_pb2.TimeRecorded) -> Time:
    return Time(
        time_id=parse_id(event.time_id, "time_id"),
        slot_id=parse_id(event.slot_id, "slot_id"),
        task_id=parse_id(event.task_id, "task_id"),
        batch_id=parse_id(event.batch_id, "batch_id"),
        vendor_id=parse_id(event.vendor_id, "vendor_id"),
        expert_id=parse_id(event.expert_id, "expert_id"),
        rate_card_version=event.terms.rate_card_version,
        tier=event.terms.tier,
        amount=event.terms.amount_minor,
        currency=event.terms.currency,
        fee_basis_points=event.terms.fee_basis_points,
        paid_seconds=event.paid_seconds,
        expected_seconds=event.expected_seconds,
        recorded_at=event.record_time.ToDatetime(UTC),
    )
