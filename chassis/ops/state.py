"""How a service is, by its database: what each of its consumers last told, and what waits."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from chassis.bus.consumer import Held
from chassis.bus.handler import HandlerCounts
from chassis.db import Database, Row, Scope, Transaction
from chassis.ids import new_id

TELL_EVERY = timedelta(seconds=2)
"""How often a process that takes events tells of itself."""

_TELL = """
WITH gone AS (DELETE FROM consumer_status WHERE seen_at < now() - interval '1 hour' AND instance <> $2)
INSERT INTO consumer_status AS known (consumer, instance, breaker_open, held_since, held_reason, applied, duplicates,
                                      set_aside, dead_lettered)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (consumer, instance) DO UPDATE
SET breaker_open = excluded.breaker_open, held_since = excluded.held_since, held_reason = excluded.held_reason,
    applied = excluded.applied, duplicates = excluded.duplicates, set_aside = excluded.set_aside,
    dead_lettered = excluded.dead_lettered, seen_at = excluded.seen_at
"""

_HEARD = """
SELECT instance, breaker_open, held_since, held_reason, applied, duplicates, set_aside, dead_lettered, seen_at
FROM consumer_status WHERE seen_at > now() - interval '30 seconds' ORDER BY instance
"""

_WAITING = """
SELECT (SELECT count(*) FROM outbox) AS outbox,
       (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0)::float8 FROM outbox) AS oldest,
       (SELECT count(*) FROM dead_letter WHERE state IN ('OPEN', 'REPLAYING')) AS letters,
       (SELECT count(*) FROM parked_key) AS keys,
       (SELECT count(*) FROM parked_event) AS events,
       (SELECT count(*) FROM half_join WHERE late_since < now() - interval '1 hour') AS halves
"""


class Teller:
    """Tells the database how a process's consumer is."""

    def __init__(self, consumer: str) -> None:
        """Takes the consumer's name; the process gets an id of its own."""
        self._consumer = consumer
        self._instance: UUID = new_id()

    async def tell(self, database: Database, breaker_open: bool, held: Held | None, counts: HandlerCounts) -> None:
        """Writes it down."""
        since, reason = (held.since, held.reason) if held else (None, "")
        told = counts.applied, counts.duplicates, counts.set_aside, counts.dead_lettered
        async with database.transaction(Scope.service()) as tx:
            await tx.execute(_TELL, self._consumer, self._instance, breaker_open, since, reason, *told)


async def heard(tx: Transaction) -> list[Row]:
    """What consumers have told in the last half minute."""
    return await tx.fetch(_HEARD)


async def waiting(tx: Transaction) -> Row:
    """What waits: in the outbox, for a decision, behind one, for its other half."""
    row = await tx.fetchrow(_WAITING)
    assert row is not None
    return row
