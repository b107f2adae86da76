"""The inbox, which takes each fact once, and the keys that are parked until a person has looked."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from uuid import UUID

from chassis.bus.envelope import text_headers
from chassis.bus.intake import Received
from chassis.db import Transaction

Key = tuple[str, str]
"""Topic and key."""

# In the order of ids, so that two consumers that hold the same events for a moment, at a rebalance, cannot deadlock.
_TAKE = """
INSERT INTO inbox (consumer, event_id)
SELECT $1, id FROM unnest($2::uuid[]) AS id ORDER BY id
ON CONFLICT DO NOTHING RETURNING event_id
"""

_PARKED = """
SELECT topic, key FROM parked_key
WHERE consumer = $1 AND (topic, key) IN (SELECT topic, key FROM unnest($2::text[], $3::text[]) AS k (topic, key))
"""

_PARK = """
INSERT INTO parked_key (consumer, topic, key, event_id, reason) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""

_SET_ASIDE = """
INSERT INTO parked_event (consumer, topic, partition, "offset", key, event_id, type, payload, headers)
SELECT $1, topic, partition, "offset", key, event_id, type, payload, headers
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::uuid[], $7::text[], $8::bytea[], $9::jsonb[])
     WITH ORDINALITY AS e (topic, partition, "offset", key, event_id, type, payload, headers, place)
ORDER BY place
ON CONFLICT (consumer, event_id) DO NOTHING
"""


async def take(tx: Transaction, consumer: str, ids: Sequence[UUID]) -> set[UUID]:
    """Marks events as taken by this transaction; returns those that were not taken before."""
    return {row["event_id"] for row in await tx.fetch(_TAKE, consumer, ids)} if ids else set()


async def parked(tx: Transaction, consumer: str, keys: Collection[Key]) -> set[Key]:
    """Those of the keys that are parked."""
    topics, names = [topic for topic, _ in keys], [key for _, key in keys]
    return {(row["topic"], row["key"]) for row in await tx.fetch(_PARKED, consumer, topics, names)} if keys else set()


async def park(tx: Transaction, consumer: str, key: Key, event_id: UUID, reason: str) -> None:
    """Parks a key because of an event; later events of the key are to be set aside."""
    await tx.execute(_PARK, consumer, *key, event_id, reason)


async def set_aside(tx: Transaction, consumer: str, received: Sequence[Received]) -> None:
    """Keeps events of parked keys, in their order, for when the key is released."""
    records = [item.record for item in received]
    if records:
        await tx.execute(
            _SET_ASIDE,
            consumer,
            [record.topic for record in records],
            [record.partition for record in records],
            [record.offset for record in records],
            [item.event.key for item in received],
            [item.event.id for item in received],
            [item.type.name for item in received],
            [record.value for record in records],
            [json.dumps(text_headers(record.headers)) for record in records],
        )
