"""Lists an expert's earnings, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.db import Transaction

_PAGE = """
SELECT e.id, e.answer_id, e.time_id, e.task_id, e.batch_id, e.amount - e.taken_back AS amount, e.currency, e.state,
       e.hold_until, e.created_at, h.reason AS hold_reason, i.payout_id
FROM earning e
LEFT JOIN LATERAL (
    SELECT reason FROM hold WHERE earning_id = e.id AND released_at IS NULL ORDER BY expires_at DESC, reason LIMIT 1
) AS h ON e.state = 'HELD'
LEFT JOIN payout_item i ON i.earning_id = e.id AND i.live
WHERE e.expert_id = $1 AND ($2::timestamptz IS NULL OR (e.created_at, e.id) < ($2, $3::uuid))
ORDER BY e.created_at DESC, e.id DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class Earning:
    """A pay line as its expert sees it, in minor units: for an answer, or for time of which no answer came."""

    id: UUID
    answer_id: UUID | None
    time_id: UUID | None
    task_id: UUID
    batch_id: UUID
    amount: int
    currency: str
    state: str
    hold_until: datetime
    created_at: datetime
    hold_reason: str | None
    payout_id: UUID | None


async def list_earnings(
    tx: Transaction, expert_id: UUID, after: tuple[datetime, UUID] | None, limit: int
) -> list[Earning]:
    """A page of earnings; `after` is the time and id of the last one before it."""
    since, id_ = after or (None, None)
    return [Earning(**row) for row in await tx.fetch(_PAGE, expert_id, since, id_, limit)]
