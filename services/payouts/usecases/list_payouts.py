"""Lists an expert's payouts, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.db import Transaction

_PAGE = """
SELECT p.id, p.amount, p.currency, p.state, p.failure_code, p.created_at, a.reference
FROM payout p
LEFT JOIN LATERAL (SELECT reference FROM attempt WHERE payout_id = p.id ORDER BY n DESC LIMIT 1) AS a ON true
WHERE p.expert_id = $1 AND ($2::timestamptz IS NULL OR (p.created_at, p.id) < ($2, $3::uuid))
ORDER BY p.created_at DESC, p.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Payout:
    """A payout as its expert sees it, in minor units, with the reference of its newest attempt."""

    id: UUID
    amount: int
    currency: str
    state: str
    failure_code: str | None
    created_at: datetime
    reference: str | None


async def list_payouts(
    tx: Transaction, expert_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Payout]:
    """A page of payouts; `after` is the time and id of the last one before it."""
    since, id_ = after or (None, None)
    return [Payout(**row) for row in await tx.fetch(_PAGE, expert_id, since, id_, limit)]
