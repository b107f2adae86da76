"""The inbox, which takes each fact once, and none whose key is parked."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.bus.intake import Received
from chassis.bus.parking import Key
from chassis.db import Transaction

# In the order of ids, so that two consumers that hold the same events for a moment, at a rebalance, cannot deadlock.
_TAKE = """
INSERT INTO inbox (consumer, event_id)
SELECT $1, id FROM unnest($2::uuid[]) AS id ORDER BY id
ON CONFLICT DO NOTHING RETURNING event_id
"""

# Parked keys are locked, so that none can be released between this look and what is set aside because of it; a key that
# is just being released is waited for.
_ADMIT = """
WITH fact AS (SELECT * FROM unnest($2::arriving[])),
parked AS MATERIALIZED (
    SELECT topic, key FROM parked_key WHERE consumer = $1 AND (topic, key) IN (SELECT topic, key FROM fact)
    ORDER BY topic, key FOR KEY SHARE),
taken AS (
    INSERT INTO inbox (consumer, event_id)
    SELECT $1, event_id FROM fact f WHERE NOT EXISTS (SELECT FROM parked p WHERE p.topic = f.topic AND p.key = f.key)
    ORDER BY event_id
    ON CONFLICT DO NOTHING RETURNING event_id)
SELECT event_id, NULL AS topic, NULL AS key FROM fact f
WHERE NOT EXISTS (SELECT FROM taken t WHERE t.event_id = f.event_id)
UNION ALL SELECT NULL, topic, key FROM parked
"""

_FORGET = "DELETE FROM inbox WHERE consumer = $1 AND event_id = $2"


async def take(tx: Transaction, consumer: str, ids: Sequence[UUID]) -> set[UUID]:
    """Marks events as taken by this transaction; returns those that were not taken before."""
    return {row["event_id"] for row in await tx.fetch(_TAKE, consumer, ids)} if ids else set()


async def admit(tx: Transaction, consumer: str, facts: Sequence[Received]) -> tuple[set[UUID], set[Key]]:
    """Like `take`, for all facts but those of parked keys, which are returned too; they stay so until the commit."""
    if not facts:
        return set(), set()
    arriving = [(fact.event.id, fact.record.topic, fact.event.key) for fact in facts]
    left_out = await tx.fetch(_ADMIT, consumer, arriving)
    taken = {event_id for event_id, _, _ in arriving}.difference(row["event_id"] for row in left_out)
    return taken, {(row["topic"], row["key"]) for row in left_out if row["event_id"] is None}


async def forget(tx: Transaction, consumer: str, event_id: UUID) -> None:
    """Lets an event be taken once more, because what took it has only made it a dead letter."""
    await tx.execute(_FORGET, consumer, event_id)
