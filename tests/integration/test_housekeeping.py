"""What is too old to be repeated is forgotten, and nothing else."""

from __future__ import annotations

from chassis import housekeeping
from chassis.db import Database, Scope, Transaction

_REQUESTS = """
INSERT INTO idempotency (subject, method, request_id, request_hash, response, created_at)
SELECT uuidv7(), 'm', uuidv7(), '', '', now() - make_interval(days => d) FROM generate_series(1, 60) AS d
"""
_EVENTS = """
INSERT INTO inbox (consumer, event_id, received_at)
SELECT 'c', uuidv7(), now() - make_interval(days => d) FROM generate_series(1, 60) AS d
"""


async def test_only_what_can_no_longer_be_repeated_is_forgotten(tasking_database: Database) -> None:
    async def tick(tx: Transaction) -> int:
        return await housekeeping.tick(tx, None)

    async with tasking_database.transaction(Scope.service()) as tx:
        await tx.execute(_REQUESTS)
        await tx.execute(_EVENTS)

    forgotten = await tasking_database.run(Scope.service(), tick)

    assert forgotten == 31 + 33
    assert await tasking_database.run(Scope.service(), tick) == 0
    async with tasking_database.transaction(Scope.service()) as tx:
        assert await tx.fetchval("SELECT count(*) FROM idempotency") == 29
        assert await tx.fetchval("SELECT count(*) FROM inbox") == 27
