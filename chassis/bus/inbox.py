"""The inbox, which takes each fact once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.db import Transaction

# In the order of ids, so that two consumers that hold the same events for a moment, at a rebalance, cannot deadlock.
_TAKE = """
INSERT INTO inbox (consumer, event_id)
SELECT $1, id FROM unnest($2::uuid[]) AS id ORDER BY id
ON CONFLICT DO NOTHING RETURNING event_id
"""

_FORGET = "DELETE FROM inbox WHERE consumer = $1 AND event_id = $2"


async def take(tx: Transaction, consumer: str, ids: Sequence[UUID]) -> set[UUID]:
    """Marks events as taken by this transaction; returns those that were not taken before."""
    return {row["event_id"] for row in await tx.fetch(_TAKE, consumer, ids)} if ids else set()


async def forget(tx: Transaction, consumer: str, event_id: UUID) -> None:
    """Lets an event be taken once more, because what took it has only made it a dead letter."""
    await tx.execute(_FORGET, consumer, event_id)
