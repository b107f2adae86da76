"""Adds pay lines with their holds, and tells their experts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis import tracing
from chassis.db import Transaction
from services.payouts.domain.hold import HoldRules, Payee, holds

_PAYEES = """
SELECT p.expert_id, p.vendor_id, coalesce(e.eligible, false) AS expert_eligible,
       e.first_paid_at IS NOT NULL AS expert_paid_before, coalesce(v.active, false) AS vendor_active, now() AS now
FROM (SELECT DISTINCT * FROM unnest($1::uuid[], $2::uuid[]) AS p (expert_id, vendor_id)) AS p
LEFT JOIN expert e ON e.expert_id = p.expert_id LEFT JOIN vendor v ON v.vendor_id = p.vendor_id
"""

_ADD_LINES = """
WITH line AS (
    INSERT INTO earning (id, answer_id, time_id, basis, version, task_id, batch_id, vendor_id, expert_id, currency,
                         amount, taken_back, state, hold_until)
    SELECT n.id, n.answer_id, n.time_id, CASE WHEN n.time_id IS NULL THEN 'answer' ELSE 'time' END, n.version,
           n.task_id, n.batch_id, n.vendor_id, n.expert_id, n.currency, n.amount, n.taken_back,
           CASE WHEN n.taken_back = n.amount THEN 'WITHDRAWN' ELSE 'HELD' END, n.hold_until
    FROM unnest($1::new_line[]) AS n
    RETURNING id, vendor_id)
INSERT INTO hold (earning_id, reason, vendor_id, expires_at)
SELECT n.earning_id, n.reason, line.vendor_id, n.expires_at
FROM unnest($2::new_hold[]) AS n JOIN line ON line.id = n.earning_id
"""
_TRACES = """
UPDATE earning e SET traceparent = n.traceparent
FROM unnest($1::uuid[], $2::text[]) AS n (id, traceparent) WHERE e.id = n.id
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
    payees, now = await _payees(tx, lines)
    stand = {line.id: holds(payees[line.id], rules) for line in lines}
    until = {id_: now + max(waits.values()) for id_, waits in stand.items()}
    rows = [_row(line, until[line.id]) for line in lines]
    waits = [(id_, reason.value, now + wait) for id_, held in stand.items() for reason, wait in held.items()]
    await tx.execute(_ADD_LINES, rows, waits)
    if recorded := [(line.id, line.traceparent) for line in lines if tracing.is_recorded(line.traceparent)]:
        await tx.execute(_TRACES, *zip(*recorded, strict=True))
    for line in lines:
        if line.taken_back < line.amount:
            tx.emit(_event(line, until[line.id]), traceparent=line.traceparent or None)


async def _payees(tx: Transaction, lines: Sequence[NewLine]) -> tuple[Mapping[UUID, Payee], datetime]:
    """By line what is known of its expert and vendor, and the database's time. Who is unknown passes no check."""
    rows = await tx.fetch(_PAYEES, [line.expert_id for line in lines], [line.vendor_id for line in lines])
    payees = {
        (row["expert_id"], row["vendor_id"]): Payee(
            expert_eligible=row["expert_eligible"],
            expert_paid_before=row["expert_paid_before"],
            vendor_active=row["vendor_active"],
        )
        for row in rows
    }
    return {line.id: payees[line.expert_id, line.vendor_id] for line in lines}, rows[0]["now"]


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
