"""Half-joins: two events that belong together and may come in either order, in several versions.

A reaction hands over what it has got and is told which pairs are complete by it. Each pair of versions is told exactly
once, whatever is repeated. Both sides lock the key first, so that two that come at the same moment see each other.

    submitted first:   join("payable", "terms", "verdict", ...)   -> nothing yet
    verdict, version 1 join("payable", "verdict", "terms", ...)   -> (verdict 1, terms)
    verdict, version 2 join("payable", "verdict", "terms", ...)   -> (verdict 2, terms)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from chassis.db import Transaction

# The row of the key is what the sides lock, in key order. A half whose partner should be here by now starts the clock
# of the alarm; one that may wait does not.
_LOCK_KEYS = """
INSERT INTO half_join (join_name, key, late_since)
SELECT $1, key, CASE WHEN $3 THEN NULL ELSE now() END FROM (SELECT DISTINCT unnest($2::uuid[]) AS key) AS k
ORDER BY key
ON CONFLICT (join_name, key) DO UPDATE SET late_since =
    CASE WHEN half_join.completed_at IS NULL THEN coalesce(half_join.late_since, excluded.late_since) END
"""

_JOIN = """
WITH fresh AS (
    INSERT INTO half (join_name, key, side, version, payload)
    SELECT $1, key, $2, version, payload FROM unnest($4::uuid[], $5::int[], $6::bytea[]) AS item (key, version, payload)
    ON CONFLICT DO NOTHING
    RETURNING key, version, payload
), pair AS (
    SELECT fresh.key, fresh.version, fresh.payload, half.version AS other_version, half.payload AS other_payload
    FROM fresh JOIN half ON half.join_name = $1 AND half.side = $3 AND half.key = fresh.key
), completed AS (
    UPDATE half_join SET completed_at = now(), late_since = NULL
    WHERE join_name = $1 AND completed_at IS NULL AND key IN (SELECT key FROM pair)
)
SELECT key, version, payload, other_version, other_payload FROM pair ORDER BY key, version, other_version
"""

_OVERDUE = """
SELECT join_name, count(*) AS keys, min(late_since) AS since FROM half_join
WHERE late_since < now() - $1::interval GROUP BY join_name ORDER BY join_name
"""


@dataclass(frozen=True, slots=True)
class Half:
    """One side's part under a key. A side may come again with a higher version; its payload is the caller's bytes."""

    key: UUID
    payload: bytes
    version: int = 0


@dataclass(frozen=True, slots=True)
class Pair:
    """Two halves that have met: the side that asks, and the other."""

    mine: Half
    other: Half


@dataclass(frozen=True, slots=True)
class Overdue:
    """The keys of a join whose partner has not come, and since when the oldest waits."""

    join: str
    keys: int
    since: datetime


async def join_versions(
    tx: Transaction, name: str, side: str, other: str, items: Iterable[Half], *, patient: bool = False
) -> list[Pair]:
    """Stores halves; returns the pairs that are complete by them, by key and version.

    A half that was stored before completes nothing again, and its first payload stands. A `patient` half may wait for
    its partner as long as it takes; any other raises the alarm of `overdue`.
    """
    halves = list(items)
    if not halves:
        return []
    keys = [half.key for half in halves]
    await tx.execute(_LOCK_KEYS, name, keys, patient)
    versions, payloads = [half.version for half in halves], [half.payload for half in halves]
    rows = await tx.fetch(_JOIN, name, side, other, keys, versions, payloads)
    return [Pair(Half(key, mine, version), Half(key, others, since)) for key, version, mine, since, others in rows]


async def join(
    tx: Transaction, name: str, side: str, other: str, items: Mapping[UUID, bytes], *, patient: bool = False
) -> dict[UUID, tuple[bytes, bytes]]:
    """`join_versions` for a side that comes once a key: each key that is complete now, with its and the other's part.

    Where the other side has come in several versions, the last of them.
    """
    halves = (Half(key, payload) for key, payload in items.items())
    pairs = await join_versions(tx, name, side, other, halves, patient=patient)
    return {pair.mine.key: (pair.mine.payload, pair.other.payload) for pair in pairs}


async def overdue(tx: Transaction, older_than: timedelta) -> list[Overdue]:
    """What waits for a partner longer than it should: an alarm, since some event is late, lost or poisoned."""
    rows = await tx.fetch(_OVERDUE, older_than)
    return [Overdue(row["join_name"], row["keys"], row["since"]) for row in rows]
