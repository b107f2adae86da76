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
# of the alarm; one that may wait does not. Under a key that is made here nothing else can lie: only the halves of the
# others, as far as they are new, are told, for which the other side must be looked up.
_STORE = """
WITH item AS (
    SELECT * FROM unnest($3::uuid[], $4::int[], $5::bytea[]) AS i (key, version, payload)),
locked AS (
    INSERT INTO half_join AS j (join_name, key, late_since)
    SELECT $1, key, CASE WHEN $6 THEN NULL ELSE now() END FROM (SELECT DISTINCT key FROM item) AS k ORDER BY key
    ON CONFLICT (join_name, key) DO UPDATE SET late_since =
        CASE WHEN j.completed_at IS NULL THEN coalesce(j.late_since, excluded.late_since) END
    RETURNING j.key, old.key IS NOT NULL AS known),
stored AS (
    INSERT INTO half (join_name, key, side, version, payload)
    SELECT $1, key, $2, version, payload FROM item JOIN locked USING (key) ON CONFLICT DO NOTHING
    RETURNING key, version)
SELECT key, version FROM stored JOIN locked USING (key) WHERE known
"""

# Not in the statement that locks: that one's snapshot is older than the lock.
_JOIN = """
WITH pair AS (
    SELECT mine.key, mine.version, mine.payload, half.version AS other_version, half.payload AS other_payload
    FROM unnest($4::uuid[], $5::int[]) AS fresh (key, version)
    JOIN half AS mine
        ON mine.join_name = $1 AND mine.key = fresh.key AND mine.side = $2 AND mine.version = fresh.version
    JOIN half ON half.join_name = $1 AND half.key = fresh.key AND half.side = $3
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
    keys, versions = [half.key for half in halves], [half.version for half in halves]
    fresh = await tx.fetch(_STORE, name, side, keys, versions, [half.payload for half in halves], patient)
    if not fresh:
        return []
    rows = await tx.fetch(_JOIN, name, side, other, *zip(*fresh, strict=True))
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
