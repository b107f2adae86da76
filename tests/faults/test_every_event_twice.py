"""Every event delivered twice, and all of them once more in a replay: each fact has its effect once."""

from __future__ import annotations

from chassis.bus.handler import HandlerCounts
from chassis.db import Database, Scope
from tests.support.bus import Bus, eventually, record, running
from tests.support.reactions import completed, handler

FACTS = [record(completed(f"b{number % 7}", number)) for number in range(100)]


async def test_every_event_delivered_twice_has_its_effect_once(payouts_database: Database, bus: Bus) -> None:
    own = handler(payouts_database)
    async with running(bus.consumer(own, "payouts").run):
        await bus.write(*(twice for fact in FACTS for twice in (fact, fact)))
        await eventually(lambda: has(own.counts, 200))
    assert await effects(payouts_database) == [len([n for n in range(100) if n % 7 == key]) for key in range(7)]


async def test_a_replay_of_the_whole_topic_changes_nothing(payouts_database: Database, bus: Bus) -> None:
    await bus.write(*FACTS)
    for group in ("payouts", "payouts-replay"):
        own = handler(payouts_database)
        async with running(bus.consumer(own, group).run):
            await eventually(lambda counts=own.counts: has(counts, 100))  # type: ignore[misc]
    assert (own.counts.applied, own.counts.duplicates) == (0, 100)
    assert sum(await effects(payouts_database)) == 100


async def has(counts: HandlerCounts, number: int) -> bool:
    return counts.applied + counts.duplicates >= number


async def effects(database: Database) -> list[int]:
    async with database.transaction(Scope.service()) as tx:
        return [row["n"] for row in await tx.fetch("SELECT count(*) AS n FROM seen GROUP BY key ORDER BY key")]
