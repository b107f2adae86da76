"""A poison event over a real Kafka: its key is parked, all others go on, and its bytes lie in the dead letters."""

from __future__ import annotations

from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus.handler import HandlerCounts
from chassis.db import Database, Scope
from tests.support.bus import Bus, eventually, record, relaying, running
from tests.support.reactions import completed, handler, see_unless_poisoned


async def test_a_poison_event_parks_its_key_and_the_others_go_on(payouts_database: Database, bus: Bus) -> None:
    own = handler(payouts_database, {tasking.BatchCompleted: see_unless_poisoned})
    poison = record(completed("bad", -1))
    async with relaying(payouts_database, bus) as relay, running(bus.consumer(own, "payouts").run):
        await bus.write(record(completed("bad", 1)), poison, *(record(completed("bad", number)) for number in (2, 3)))
        await bus.write(*(record(completed(f"good{number % 3}", number)) for number in range(30)))
        await eventually(lambda: done(own.counts, applied=31, set_aside=2))
        await eventually(lambda: has(relay.counts.published, 1))
    (letter,) = await bus.read("tasking.batch.v1.dlq")
    headers = {name: (value or b"").decode() for name, value in letter.headers}
    assert (letter.key, letter.value) == (poison.key, poison.value)
    assert (headers["dlq_reason"], headers["dlq_consumer"], headers["dlq_topic"]) == (
        "POISONED",
        "payouts",
        "tasking.batch.v1",
    )
    assert headers.items() >= {name: (value or b"").decode() for name, value in poison.headers}.items()
    async with payouts_database.transaction(Scope.service()) as tx:
        assert [row["key"] for row in await tx.fetch("SELECT key FROM parked_key")] == ["bad"]
        assert await tx.fetchval("SELECT count(*) FROM seen WHERE key LIKE 'good%'") == 30
        assert await tx.fetchval("SELECT array_agg(number) FROM seen WHERE key = 'bad'") == [1]


async def done(counts: HandlerCounts, applied: int, set_aside: int) -> bool:
    return (counts.applied, counts.set_aside) == (applied, set_aside)


async def has(counter: int, number: int) -> bool:
    return counter >= number
