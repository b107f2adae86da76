"""Makes lines payable whose holds have all ended: held money becomes available."""

from __future__ import annotations

from asyncpg import Record

from chassis.db import Transaction
from services.payouts.context import Context
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer
from services.payouts.usecases import post_transfers

_AT_ONCE = 1000
_DUE = """
SELECT id, expert_id, currency, amount - taken_back AS left FROM earning
WHERE state = 'HELD' AND hold_until <= now() ORDER BY hold_until LIMIT $1 FOR UPDATE SKIP LOCKED
"""
_PAYABLE = "UPDATE earning SET state = 'PAYABLE', payable_at = now() WHERE id = ANY($1::uuid[])"


async def tick(tx: Transaction, _: Context) -> int:
    """Releases up to a thousand lines; gives their number."""
    due = await tx.fetch(_DUE, _AT_ONCE)
    if due:
        await post_transfers.post(tx, [_transfer(line) for line in due])
        await tx.execute(_PAYABLE, [line["id"] for line in due])
    return len(due)


def _transfer(line: Record) -> Transfer:
    held, available = (of(line["expert_id"], line["currency"]) for of in (accounts.held, accounts.available))
    cause = {"earning": str(line["id"])}
    return Transfer(f"release:{line['id']}", held, available, line["left"], "release", cause)
