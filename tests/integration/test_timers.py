"""Timers on a real PostgreSQL: one replica at a time, and a failing tick is not the end."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from chassis.db import Database, Scope, Transaction
from chassis.timers import Timer, run_timer, run_timers, tick_once
from tests.support.bus import eventually, running
from tests.support.metrics import rising, value

SOON = timedelta(milliseconds=5)


async def test_a_tick_is_called_again_at_once_while_it_finds_work(tasking_database: Database) -> None:
    left = [3, 2, 1, 0]
    stop = asyncio.Event()

    async def tick(_: Transaction, __: None) -> int:
        found = left.pop(0)
        if not found:
            stop.set()
        return found

    async with asyncio.timeout(120):
        await run_timer(tasking_database, Timer("work", timedelta(hours=1), tick), None, stop)
    assert left == []


async def test_two_replicas_do_not_tick_at_the_same_time(tasking_database: Database) -> None:
    inside, overlaps, ticks = 0, 0, 0

    async def tick(tx: Transaction, _: None) -> int:
        nonlocal inside, overlaps, ticks
        inside += 1
        overlaps += inside > 1
        await tx.execute("SELECT pg_sleep(0.005)")
        inside -= 1
        ticks += 1
        return 0

    async def ticked() -> bool:
        return ticks > 10

    timer = Timer("work", SOON, tick)
    async with running(
        lambda stop: run_timer(tasking_database, timer, None, stop),
        lambda stop: run_timer(tasking_database, timer, None, stop),
    ):
        await eventually(ticked)
    assert overlaps == 0


async def test_a_replica_that_does_not_have_the_lock_does_nothing(tasking_database: Database) -> None:
    async def tick(_: Transaction, __: None) -> int:
        return await tick_once(tasking_database, timer, None)

    timer: Timer[None] = Timer("work", SOON, tick)
    assert await tick_once(tasking_database, timer, None) == 0


async def test_a_tick_that_fails_leaves_nothing_and_is_tried_again(tasking_database: Database) -> None:
    tries = 0

    async def tick(tx: Transaction, interval: timedelta) -> int:
        nonlocal tries
        tries += 1
        await tx.execute("INSERT INTO aggregate (key) VALUES ($1)", str(tries))
        if tries < 3:
            raise RuntimeError
        return 0

    async def recovered() -> bool:
        return tries > 4

    timer = Timer("fails-twice", lambda interval: interval, tick)
    with rising("preceptor_timer_failures_total", timer=timer.name) as failures:
        async with running(lambda stop: run_timers(tasking_database, [timer], SOON, stop)):
            await eventually(recovered)
        assert failures() == 2
    assert value("preceptor_timer_last_success_timestamp_seconds", timer=timer.name) > 0
    assert value("preceptor_timer_duration_seconds_count", timer=timer.name) > 4
    async with tasking_database.transaction(Scope.service()) as tx:
        assert await tx.fetchval("SELECT min(key::int) FROM aggregate") == 3
