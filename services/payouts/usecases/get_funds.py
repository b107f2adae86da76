"""What a vendor has, free and reserved."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis import money
from chassis.db import Transaction
from services.payouts.domain import accounts

_BALANCES = """
SELECT coalesce(sum(b.amount) FILTER (WHERE a.code = $3), 0)::bigint AS available,
       coalesce(sum(b.amount) FILTER (WHERE a.code <> $3), 0)::bigint AS reserved
FROM account a JOIN balance b ON b.account_id = a.id WHERE a.vendor_id = $1 AND a.currency = $2
"""


@dataclass(frozen=True, slots=True)
class Funds:
    """A vendor's money in one currency, in minor units."""

    currency: str
    available: int
    reserved: int


async def funds_of(tx: Transaction, vendor_id: UUID, currency: str) -> Funds:
    """A vendor's funds. Raises `UnknownCurrency`."""
    money.exponent(currency)
    row = await tx.fetchrow(_BALANCES, vendor_id, currency, accounts.prefund(vendor_id, currency).code)
    assert row is not None
    return Funds(currency, row["available"], row["reserved"])
