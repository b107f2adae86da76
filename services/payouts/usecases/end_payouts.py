"""Ends payouts: settled ones leave for the provider's clearing account, failed ones' money is payable again.

Money and states change in one transaction: an attempt is never closed while its money is elsewhere, or the other way.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from uuid import UUID

from asyncpg import Record
from preceptor.payouts.v1 import events_pb2

from chassis import tracing
from chassis.db import Transaction
from chassis.telemetry.metrics import PAYOUTS_ENDED
from chassis.tracing import Kind
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer
from services.payouts.domain.rail import blames_instrument
from services.payouts.usecases import post_transfers
from services.payouts.usecases.projections import lift_first_payout_holds

_LOCK = """
SELECT p.id, p.expert_id, p.instrument_id, p.amount, p.currency, a.provider, a.reference
FROM payout p LEFT JOIN attempt a ON a.payout_id = p.id AND a.state = 'PAID'
WHERE p.id = ANY($1::uuid[]) AND p.state NOT IN ('PAID', 'FAILED') ORDER BY p.id FOR UPDATE OF p
"""
_PAID = "UPDATE payout SET state = 'PAID', ended_at = now() WHERE id = ANY($1::uuid[])"
_FAILED = """
UPDATE payout p SET state = 'FAILED', ended_at = now(), failure_code = n.code
FROM unnest($1::uuid[], $2::text[]) AS n (id, code) WHERE p.id = n.id
"""
_SETTLED_LINES = """
WITH settled AS (
    UPDATE earning e SET state = 'SETTLED' FROM payout_item i
    WHERE i.earning_id = e.id AND i.payout_id = ANY($1::uuid[]) AND i.live RETURNING e.traceparent)
SELECT traceparent FROM settled WHERE traceparent IS NOT NULL
"""
_FREED_LINES = """
WITH freed AS (UPDATE payout_item SET live = false WHERE payout_id = ANY($1::uuid[]) AND live RETURNING earning_id)
UPDATE earning e SET state = 'PAYABLE' FROM freed WHERE e.id = freed.earning_id
"""
_FIRST_PAID = """
UPDATE expert SET first_paid_at = now() WHERE expert_id = ANY($1::uuid[]) AND first_paid_at IS NULL RETURNING expert_id
"""
_BLAME = """
UPDATE instrument i SET failure_code = n.code
FROM unnest($1::uuid[], $2::text[]) AS n (id, code) WHERE i.id = n.id AND i.failure_code IS NULL
"""


_PAID_COUNT, _FAILED_COUNT = (PAYOUTS_ENDED.labels(state) for state in ("paid", "failed"))


async def settle(tx: Transaction, payouts: Collection[UUID]) -> None:
    """Books payouts whose attempts are paid. Those that have ended are left out."""
    rows = await tx.fetch(_LOCK, list(payouts)) if payouts else []
    if not rows:
        return
    ids = [row["id"] for row in rows]
    await tx.execute(_PAID, ids)
    traces = [row["traceparent"] for row in await tx.fetch(_SETTLED_LINES, ids)]
    first = await tx.fetch(_FIRST_PAID, [row["expert_id"] for row in rows])
    if first:
        await lift_first_payout_holds(tx, [row["expert_id"] for row in first])
    await post_transfers.post(tx, [_settlement(row) for row in rows])
    tx.emit(*(_settled(row) for row in rows))
    tx.on_commit(partial(_tell, len(rows), traces))


async def fail(tx: Transaction, payouts: Mapping[UUID, str]) -> None:
    """Gives the money of payouts back, by the provider's code of why. Those that have ended are left out."""
    rows = await tx.fetch(_LOCK, list(payouts)) if payouts else []
    if not rows:
        return
    ids = [row["id"] for row in rows]
    await tx.execute(_FAILED, ids, [payouts[id_] for id_ in ids])
    await tx.execute(_FREED_LINES, ids)
    blamed = [(row["instrument_id"], payouts[row["id"]]) for row in rows if blames_instrument(payouts[row["id"]])]
    if blamed:
        await tx.execute(_BLAME, *zip(*blamed, strict=True))
    await post_transfers.post(tx, [_refund(row) for row in rows])
    tx.emit(*(_failed(row, payouts[row["id"]]) for row in rows))
    tx.on_commit(lambda: _FAILED_COUNT.inc(len(rows)))


def _tell(payouts: int, traces: Sequence[str]) -> None:
    """Counts payouts, and ends the traces of their lines, each linked with the run that paid it."""
    _PAID_COUNT.inc(payouts)
    run = tracing.current()
    for traceparent in traces:
        if span := tracing.child(traceparent):
            tracing.tell(span, "settle earning", Kind.INTERNAL, time.time_ns(), {}, [run] if run else [])


def _settlement(row: Record) -> Transfer:
    in_transit = accounts.in_transit(row["expert_id"], row["currency"])
    clearing = accounts.clearing(row["provider"], row["currency"])
    cause = {"payout": str(row["id"]), "reference": row["reference"]}
    return Transfer(f"payout:{row['id']}:settle", in_transit, clearing, row["amount"], "payout_settle", cause)


def _refund(row: Record) -> Transfer:
    in_transit, available = (of(row["expert_id"], row["currency"]) for of in (accounts.in_transit, accounts.available))
    cause = {"payout": str(row["id"])}
    return Transfer(f"payout:{row['id']}:fail", in_transit, available, row["amount"], "payout_fail", cause)


def _settled(row: Record) -> events_pb2.PayoutSettled:
    return events_pb2.PayoutSettled(
        payout_id=str(row["id"]),
        expert_id=str(row["expert_id"]),
        amount_minor=row["amount"],
        currency=row["currency"],
        reference=row["reference"],
    )


def _failed(row: Record, code: str) -> events_pb2.PayoutFailed:
    return events_pb2.PayoutFailed(
        payout_id=str(row["id"]),
        expert_id=str(row["expert_id"]),
        amount_minor=row["amount"],
        currency=row["currency"],
        failure_code=code,
    )
