"""A relay dies when its batch is in Kafka and still in the outbox: sent twice, applied once."""

from __future__ import annotations

from pathlib import Path

from chassis.bus.relay import outbox_depth
from chassis.db import Database, Scope
from tests.faults.relays import Plan, mortal_relays
from tests.support.bus import Bus, eventually, relaying, running
from tests.support.reactions import completed, handler


async def test_its_batch_is_sent_again_and_applied_once(
    tasking_database: Database, tasking_url: str, payouts_database: Database, bus: Bus, tmp_path: Path
) -> None:
    deaths_log = tmp_path / "deaths"

    async def has_died() -> bool:
        return deaths_log.exists()

    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(*(completed(f"b{number % 5}", number) for number in range(50)))
    where = (tasking_url, bus.brokers.bootstrap_servers, bus.prefix)
    plan = Plan(*where, str(deaths_log), 1, dies_after_flush=1, seconds_between_kills=0)
    async with mortal_relays(plan):
        await eventually(has_died)
    assert await depth(tasking_database) == 50
    consumer = handler(payouts_database)
    async with relaying(tasking_database, bus), running(bus.consumer(consumer, "payouts").run):
        await eventually(lambda: all_came(tasking_database, bus, consumer.counts.applied + consumer.counts.duplicates))
    assert consumer.counts.applied == 50
    assert consumer.counts.duplicates >= 50
    async with payouts_database.transaction(Scope.service()) as tx:
        rows = await tx.fetch("SELECT key, array_agg(number ORDER BY place) AS numbers FROM seen GROUP BY key")
    assert {row["key"]: row["numbers"] for row in rows} == {f"b{key}": list(range(key, 50, 5)) for key in range(5)}


async def depth(database: Database) -> int:
    async with database.transaction(Scope.service()) as tx:
        return (await outbox_depth(tx)).rows


async def all_came(database: Database, bus: Bus, handled: int) -> bool:
    return await depth(database) == 0 and handled == len(await bus.read("tasking.batch.v1"))
