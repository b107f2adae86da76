"""Reads what is reserved for batches."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from chassis.db import Transaction
from services.payouts.domain.earning import Reserve

_RESERVES = """
SELECT batch_id, vendor_id, currency, rate_card_version, fee_basis_points, times_most, times,
       released_at IS NOT NULL AS released,
       ARRAY(SELECT (tier, floor, cap) FROM reserve_tier t WHERE t.batch_id = r.batch_id) AS tiers
FROM reserve r WHERE batch_id = ANY($1::uuid[]) ORDER BY batch_id
"""
_LOCKED = _RESERVES + "FOR UPDATE"


async def reserves_of(tx: Transaction, batches: Collection[UUID], *, lock: bool = False) -> dict[UUID, Reserve]:
    """The reserves of batches, those that there are; locked, in the order of their ids, if asked for."""
    rows = await tx.fetch(_LOCKED if lock else _RESERVES, list(batches))
    return {row["batch_id"]: Reserve(**{**row, "tiers": _ranges(row["tiers"])}) for row in rows}


def _ranges(tiers: Iterable[tuple[str, int, int]]) -> dict[str, range]:
    return {tier: range(floor, cap + 1) for tier, floor, cap in tiers}
