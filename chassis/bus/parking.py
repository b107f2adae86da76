"""Keys that are parked until a person has decided about the event that failed, and the events that queue behind it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from chassis.bus.copies import copy_of
from chassis.bus.intake import Received
from chassis.db import Row, Transaction

Key = tuple[str, str]
"""Topic and key."""

_PARK = """
INSERT INTO parked_key (consumer, topic, key, event_id, reason)
SELECT $1, topic, key, event_id, reason
FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[]) WITH ORDINALITY AS p (topic, key, event_id, reason, place)
ORDER BY topic, key, place
ON CONFLICT DO NOTHING
"""

_SET_ASIDE = """
INSERT INTO parked_event (consumer, topic, partition, "offset", key, event_id, type, payload, headers)
SELECT $1, topic, partition, "offset", key, event_id, type, payload, headers
FROM unnest($2::text[], $3::int[], $4::bigint[], $5::text[], $6::uuid[], $7::text[], $8::bytea[], $9::jsonb[])
     WITH ORDINALITY AS e (topic, partition, "offset", key, event_id, type, payload, headers, place)
ORDER BY place
ON CONFLICT (consumer, event_id) DO NOTHING
"""

# One replica at a time releases: two could otherwise try the same event, and both count its failure.
_MAY_RELEASE = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))"
_LOCK_CLASS = 0x72656C65

_RELEASING = """
SELECT topic, key FROM parked_key WHERE consumer = $1 AND releasing ORDER BY parked_at LIMIT 1 FOR UPDATE
"""

_WAITING = """
SELECT id, topic, partition, "offset", key, event_id, type, payload, headers FROM parked_event
WHERE consumer = $1 AND topic = $2 AND key = $3 ORDER BY id LIMIT $4
"""

_LET_GO = "DELETE FROM parked_event WHERE id = ANY($1::bigint[])"
_UNPARK = "DELETE FROM parked_key WHERE consumer = $1 AND topic = $2 AND key = $3"

_RELEASE = """
UPDATE parked_key SET releasing = true WHERE consumer = $1 AND topic = $2 AND key = $3 AND event_id = $4
"""

_PARK_AGAIN = """
UPDATE parked_key SET releasing = false, event_id = $4, reason = $5, parked_at = now()
WHERE consumer = $1 AND topic = $2 AND key = $3
"""


async def park(tx: Transaction, consumer: str, causes: Sequence[tuple[Key, UUID, str]]) -> None:
    """Parks keys, each because of an event and for a reason; later events of the keys are to be set aside."""
    if causes:
        keys, ids, reasons = zip(*causes, strict=True)
        await tx.execute(_PARK, consumer, *zip(*keys, strict=True), ids, reasons)


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
            [json.dumps(copy_of(record).headers) for record in records],
        )


async def may_release(tx: Transaction, consumer: str) -> bool:
    """Whether this transaction alone releases keys of the consumer, until it ends."""
    return bool(await tx.fetchval(_MAY_RELEASE, _LOCK_CLASS, consumer))


async def release(tx: Transaction, consumer: str, key: Key, event_id: UUID) -> None:
    """Has what waits behind an event applied, if that event is what its key is parked for."""
    await tx.execute(_RELEASE, consumer, *key, event_id)


async def releasing(tx: Transaction, consumer: str) -> Key | None:
    """A key that is to be released, locked: nothing is set aside behind it until this transaction ends."""
    row = await tx.fetchrow(_RELEASING, consumer)
    return (row["topic"], row["key"]) if row else None


async def waiting(tx: Transaction, consumer: str, key: Key, most: int) -> list[Row]:
    """The first events that wait behind a parked key."""
    return await tx.fetch(_WAITING, consumer, *key, most)


async def let_go(tx: Transaction, ids: Sequence[int]) -> int:
    """Takes events out of the queue of their key; returns how many were still in it."""
    return int((await tx.execute(_LET_GO, ids)).rpartition(" ")[2])


async def unpark(tx: Transaction, consumer: str, key: Key) -> None:
    """Frees a key behind which nothing waits any more."""
    await tx.execute(_UNPARK, consumer, *key)


async def park_again(tx: Transaction, consumer: str, key: Key, event_id: UUID, reason: str) -> None:
    """Parks a key that was being released because of an event that waited behind it."""
    await tx.execute(_PARK_AGAIN, consumer, *key, event_id, reason)
