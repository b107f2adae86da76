"""Commits the intent to send a payout, with all that will be sent, before anything is sent."""

from __future__ import annotations

from asyncpg import Record

from chassis.db import Transaction
from chassis.ids import new_id
from services.payouts.context import Context
from services.payouts.domain.rail import Order, new_reference
from services.payouts.usecases.end_payouts import fail
from services.payouts.usecases.instruments import destination

_AT_ONCE = 200

_BATCHED = """
SELECT p.id, p.expert_id, p.instrument_id, p.amount, p.currency, i.sealed, k.wrapped,
       i.retired_at IS NULL AND i.failure_code IS NULL AS usable,
       (SELECT count(*) FROM attempt a WHERE a.payout_id = p.id) AS attempts
FROM payout p JOIN instrument i ON i.id = p.instrument_id JOIN expert_key k ON k.expert_id = p.expert_id
WHERE p.state = 'BATCHED' AND NOT EXISTS (
    SELECT FROM attempt a
    WHERE a.payout_id = p.id AND a.state IN ('CREATED', 'SUBMITTING', 'SUBMITTED', 'UNKNOWN', 'PAID'))
ORDER BY p.created_at LIMIT $1 FOR UPDATE OF p SKIP LOCKED
"""
_CREATE = """
INSERT INTO attempt (id, payout_id, n, provider, reference, idem_key, instrument_id, amount, currency, body_hash, state,
                     due_at)
SELECT n.*, 'CREATED', now()
FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[], $5::text[], $6::uuid[], $7::uuid[], $8::bigint[],
            $9::char(3)[], $10::bytea[]) AS n
"""


async def tick(tx: Transaction, context: Context) -> int:
    """Makes the next attempt of up to two hundred payouts that have none alive; gives their number.

    A payout whose instrument was changed or refused meanwhile fails: its money goes back, the next run sends it anew.
    """
    if not context.settings.sending:
        return 0
    batched = await tx.fetch(_BATCHED, _AT_ONCE)
    await fail(tx, {row["id"]: "instrument_changed" for row in batched if not row["usable"]})
    rows = [_row(payout, context) for payout in batched if payout["usable"]]
    if rows:
        await tx.execute(_CREATE, *zip(*rows, strict=True))
    return len(batched)


def _row(payout: Record, context: Context) -> tuple[object, ...]:
    to = destination(context.vault, payout)
    order = Order(new_id(), new_reference(), payout["amount"], payout["currency"], to)
    which = new_id(), payout["id"], payout["attempts"] + 1, context.rail.facts.name
    money = payout["instrument_id"], order.amount, order.currency
    return *which, order.reference, order.idem_key, *money, order.body_hash()
