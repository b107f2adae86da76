"""Reads what is reserved for batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from uuid import UUID

from chassis.db import Transaction
from services.payouts.domain.earning import Reserve

_LOCK = "SELECT FROM reserve WHERE batch_id = ANY($1::uuid[]) ORDER BY batch_id FOR UPDATE"
_RESERVES = """
SELECT batch_id, vendor_id, currency, rate_card_version, fee_basis_points, times_most, times,
       released_at IS NOT NULL AS released
FROM reserve WHERE batch_id = ANY($1::uuid[])
"""
_TIERS = "SELECT batch_id, tier, floor, cap FROM reserve_tier WHERE batch_id = ANY($1::uuid[])"


async def reserves_of(tx: Transaction, batches: Collection[UUID], *, lock: bool = False) -> dict[UUID, Reserve]:
    """The reserves of batches, those that there are; locked, in the order of their ids, if asked for."""
    if lock:
        await tx.execute(_LOCK, list(batches))
    tiers: defaultdict[UUID, dict[str, range]] = defaultdict(dict)
    for row in await tx.fetch(_TIERS, list(batches)):
        tiers[row["batch_id"]][row["tier"]] = range(row["floor"], row["cap"] + 1)
    rows = await tx.fetch(_RESERVES, list(batches))
    return {row["batch_id"]: Reserve(**row, tiers=tiers[row["batch_id"]]) for row in rows}
