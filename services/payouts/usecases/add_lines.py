"""Adds pay lines with their holds, and tells their experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis.db import Transaction
from services.payouts.domain.hold import HoldRules, Payee, holds

_EXPERTS = "SELECT expert_id, eligible, first_paid_at FROM expert WHERE expert_id = ANY($1::uuid[])"
_VENDORS = "SELECT vendor_id FROM vendor WHERE vendor_id = ANY($1::uuid[]) AND active"

_ADD_LINES = """
INSERT INTO earning (id, answer_id, time_id, basis, version, task_id, batch_id, vendor_id, expert_id, currency, amount,
                     taken_back, state, hold_until)
SELECT n.id, n.answer_id, n.time_id, CASE WHEN n.time_id IS NULL THEN 'answer' ELSE 'time' END, n.version, n.task_id,
       n.batch_id, n.vendor_id, n.expert_id, n.currency, n.amount, n.taken_back,
       CASE WHEN n.taken_back = n.amount THEN 'WITHDRAWN' ELSE 'HELD' END, n.hold_until
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::integer[], $5::uuid[], $6::uuid[], $7::uuid[], $8::uuid[],
            $9::char(3)[], $10::bigint[], $11::bigint[], $12::timestamptz[])
     AS n (id, answer_id, time_id, version, task_id, batch_id, vendor_id, expert_id, currency, amount, taken_back,
           hold_until)
"""
_ADD_HOLDS = """
INSERT INTO hold (earning_id, reason, vendor_id, expires_at)
SELECT n.earning_id, n.reason, e.vendor_id, n.expires_at
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) AS n (earning_id, reason, expires_at)
JOIN earning e ON e.id = n.earning_id
"""


@dataclass(frozen=True, slots=True)
class NewLine:
    """A pay line to be added, for an answer or for a time; money in minor units.

    `traceparent` is of the event that moves its money, empty if there was none.
    """

    id: UUID
    answer_id: UUID | None
    time_id: UUID | None
    version: int
    task_id: UUID
    batch_id: UUID
    vendor_id: UUID
    expert_id: UUID
    currency: str
    amount: int
    taken_back: int = 0
    traceparent: str = ""


async def add_lines(tx: Transaction, lines: Sequence[NewLine], rules: HoldRules) -> None:
    """Stores lines as held until the last of their holds ends; emits `EarningAccrued` for what is left of them."""
    if not lines:
        return
    now: datetime = await tx.fetchval("SELECT now()")
    payees = await _payees(tx, lines)
    stand = {line.id: holds(payees[line.id], rules) for line in lines}
    until = {id_: now + max(waits.values()) for id_, waits in stand.items()}
    await tx.execute(_ADD_LINES, *zip(*(_row(line, until[line.id]) for line in lines), strict=True))
    waits = [(id_, reason.value, now + wait) for id_, held in stand.items() for reason, wait in held.items()]
    await tx.execute(_ADD_HOLDS, *zip(*waits, strict=True))
    for line in lines:
        if line.taken_back < line.amount:
            tx.emit(_event(line, until[line.id]), traceparent=line.traceparent or None)


async def _payees(tx: Transaction, lines: Sequence[NewLine]) -> Mapping[UUID, Payee]:
    """By line: what is known of its expert and vendor. Who is unknown passes no check."""
    experts = {row["expert_id"]: row for row in await tx.fetch(_EXPERTS, [line.expert_id for line in lines])}
    vendors = {row["vendor_id"] for row in await tx.fetch(_VENDORS, [line.vendor_id for line in lines])}
    return {
        line.id: Payee(
            expert_eligible=bool(expert and expert["eligible"]),
            expert_paid_before=bool(expert and expert["first_paid_at"]),
            vendor_active=line.vendor_id in vendors,
        )
        for line in lines
        for expert in [experts.get(line.expert_id)]
    }


def _row(line: NewLine, until: datetime) -> tuple[object, ...]:
    what = line.id, line.answer_id, line.time_id, line.version, line.task_id, line.batch_id
    return *what, line.vendor_id, line.expert_id, line.currency, line.amount, line.taken_back, until


def _event(line: NewLine, hold_until: datetime) -> events_pb2.EarningAccrued:
    event = events_pb2.EarningAccrued(
        earning_id=str(line.id),
        expert_id=str(line.expert_id),
        answer_id=str(line.answer_id or ""),
        task_id=str(line.task_id),
        batch_id=str(line.batch_id),
        amount_minor=line.amount - line.taken_back,
        currency=line.currency,
        time_id=str(line.time_id or ""),
    )
    event.hold_until.FromDatetime(hold_until)
    return event
