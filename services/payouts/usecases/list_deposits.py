"""Lists what vendors have sent, with what was reversed of it, and the reversals that wait for approval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from chassis.db import Row, Transaction

DEPOSIT = """
SELECT d.id, d.vendor_id, d.amount, d.currency, d.bank_reference, d.booked_at,
       (SELECT coalesce(sum(r.amount), 0)::bigint FROM deposit_reversal r
        WHERE r.deposit_id = d.id AND r.state = 'APPROVED') AS reversed
FROM deposit d
"""
_DEPOSITS = (
    DEPOSIT
    + """
WHERE d.vendor_id = $1 AND ($2::timestamptz IS NULL OR (d.booked_at, d.id) < ($2, $3::uuid))
ORDER BY d.booked_at DESC, d.id DESC LIMIT $4
"""
)

# What nobody has decided in time is told as such, though no row says so yet.
_REVERSAL = """
SELECT r.id, r.deposit_id, r.vendor_id, r.amount, d.currency, r.reason, r.proposed_by, r.proposed_at, r.expires_at,
       r.decided_by, r.decided_at,
       CASE WHEN r.state = 'PROPOSED' AND r.expires_at <= now() THEN 'EXPIRED' ELSE r.state END AS state
FROM deposit_reversal r JOIN deposit d ON d.id = r.deposit_id
"""
_OF_DEPOSITS = _REVERSAL + "WHERE r.deposit_id = ANY($1::uuid[]) ORDER BY r.proposed_at, r.id"
_ONE = _REVERSAL + "WHERE r.id = $1"
_WAITING = (
    _REVERSAL
    + """
WHERE r.state = 'PROPOSED' AND r.expires_at > now()
  AND ($1::timestamptz IS NULL OR (r.proposed_at, r.id) > ($1, $2::uuid))
ORDER BY r.proposed_at, r.id LIMIT $3
"""
)


async def list_deposits(
    tx: Transaction, vendor_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> tuple[Sequence[Row], Sequence[Row]]:
    """A page of deposits, the newest first, and all reversals of these, the oldest first."""
    since, id_ = after or (None, None)
    deposits = await tx.fetch(_DEPOSITS, vendor_id, since, id_, limit)
    return deposits, await tx.fetch(_OF_DEPOSITS, [row["id"] for row in deposits])


async def reversal(tx: Transaction, reversal_id: UUID) -> Row:
    """A reversal that there is."""
    row = await tx.fetchrow(_ONE, reversal_id)
    assert row is not None
    return row


async def waiting_reversals(tx: Transaction, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Row]:
    """A page of reversals that wait for approval, the oldest first."""
    since, id_ = after or (None, None)
    return await tx.fetch(_WAITING, since, id_, limit)
