"""What an expert has, by how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis import money
from chassis.db import Transaction
from services.payouts.domain import accounts
from services.payouts.usecases import post_transfers

_PAID = """
SELECT coalesce(sum(amount), 0)::bigint FROM payout WHERE expert_id = $1 AND currency = $2 AND state = 'PAID'
"""


@dataclass(frozen=True, slots=True)
class Balance:
    """An expert's money in one currency, in minor units."""

    held: int
    available: int
    in_transit: int
    paid: int


async def balance_of(tx: Transaction, expert_id: UUID, currency: str) -> Balance:
    """An expert's balances. Raises `UnknownCurrency`."""
    money.exponent(currency)
    stages = [of(expert_id, currency) for of in (accounts.held, accounts.available, accounts.in_transit)]
    balances = await post_transfers.balances(tx, stages)
    held, available, in_transit = (balances[stage] for stage in stages)
    return Balance(held, available, in_transit, await tx.fetchval(_PAID, expert_id, currency))
