"""Consumers come and go while events flow: every fact is applied once, and every key in order."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from chassis.bus.consumer import Consumer
from chassis.bus.handler import Handler
from chassis.db import Database, Scope
from tests.support.bus import Bus, eventually, relaying, running
from tests.support.reactions import completed, handler

KEYS, ROUNDS = 30, 60

_SEEN = "SELECT key, array_agg(number ORDER BY place) AS numbers FROM seen GROUP BY key ORDER BY key"


async def test_a_second_and_a_third_consumer_join_and_the_first_leaves(
    tasking_database: Database, payouts_database: Database, bus: Bus
) -> None:
    handlers = [handler(payouts_database) for _ in range(3)]
    first, second, third = (bus.consumer(each, "payouts", batch=20) for each in handlers)
    async with relaying(tasking_database, bus), AsyncExitStack() as stay:
        async with running(first.run):
            await tell(tasking_database, 0, ROUNDS // 3)
            await eventually(lambda: works(handlers[0]))
            await stay.enter_async_context(running(second.run, third.run))
            await tell(tasking_database, ROUNDS // 3, 2 * ROUNDS // 3)
            await eventually(lambda: share_work(first, second, third))
        await tell(tasking_database, 2 * ROUNDS // 3, ROUNDS)
        await eventually(lambda: all_seen(payouts_database))
    assert sum(each.counts.applied for each in handlers) == KEYS * ROUNDS
    assert all(each.counts.applied for each in handlers)
    async with payouts_database.transaction(Scope.service()) as tx:
        rows = await tx.fetch(_SEEN)
    assert [row["numbers"] for row in rows] == [list(range(ROUNDS))] * KEYS


async def works(own: Handler[None]) -> bool:
    return own.counts.applied > 0


async def share_work(*consumers: Consumer[None]) -> bool:
    return all(consumer.assigned for consumer in consumers)


async def tell(database: Database, first: int, last: int) -> None:
    for number in range(first, last):
        async with database.transaction(Scope.service()) as tx:
            tx.emit(*(completed(f"b{key:02}", number) for key in range(KEYS)))
        await asyncio.sleep(0.005)


async def all_seen(database: Database) -> bool:
    async with database.transaction(Scope.service()) as tx:
        return bool(await tx.fetchval("SELECT count(*) FROM seen") == KEYS * ROUNDS)
