"""Timers: work that falls due by the clock, done by one replica at a time, a transaction a tick.

A job is the timer for work that waits for others, such as a payment provider: it opens its transactions itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

import structlog

from chassis import tracing
from chassis.db import Database, Scope, Transaction
from chassis.telemetry.metrics import TIMER_FAILURES, TIMER_LAST, TIMER_SECONDS
from chassis.waiting import Backoff, pause

C = TypeVar("C")
_log = structlog.get_logger(__name__)

_LOCK_CLASS = 0x74696D65
_LOCK = "SELECT pg_try_advisory_xact_lock($1, hashtext($2))"
_LONGEST_BACKOFF = 60.0


@dataclass(frozen=True, slots=True)
class Timer(Generic[C]):
    """A named tick. It returns the number of rows it did, and is called again at once while that is not zero.

    `interval` lies between a tick that found nothing and the next one; it may be read off the context, where it is a
    setting. Ticks go by database time, so that it does not matter which replica runs them.
    """

    name: str
    interval: timedelta | Callable[[C], timedelta]
    tick: Callable[[Transaction, C], Awaitable[int]]

    def seconds(self, context: C) -> float:
        """The interval in seconds."""
        interval = self.interval if isinstance(self.interval, timedelta) else self.interval(context)
        return interval.total_seconds()


@dataclass(frozen=True, slots=True)
class Job(Generic[C]):
    """Named work that holds no transaction while it waits for others; it returns the number of things it did.

    Several replicas run it at a time: it takes what it works on by leases in its rows.
    """

    name: str
    interval: timedelta | Callable[[C], timedelta]
    run: Callable[[Database, C], Awaitable[int]]

    def seconds(self, context: C) -> float:
        """The interval in seconds."""
        interval = self.interval if isinstance(self.interval, timedelta) else self.interval(context)
        return interval.total_seconds()


async def run_timers(database: Database, timers: Sequence[Timer[C] | Job[C]], context: C, stop: asyncio.Event) -> None:
    """Runs timers side by side until `stop` is set; ticks that are running then are finished."""
    async with asyncio.TaskGroup() as group:
        for timer in timers:
            group.create_task(run_timer(database, timer, context, stop))


async def run_timer(database: Database, timer: Timer[C] | Job[C], context: C, stop: asyncio.Event) -> None:
    """Runs one timer until `stop` is set. A tick that fails is logged and tried again, later each time."""
    interval = timer.seconds(context)
    trouble = Backoff(min(interval, 1.0), max(interval, _LONGEST_BACKOFF))
    seconds, last = TIMER_SECONDS.labels(timer.name), TIMER_LAST.labels(timer.name)
    failures = TIMER_FAILURES.labels(timer.name)
    while not stop.is_set():
        try:
            with seconds.time():
                done = await tick_once(database, timer, context)
            last.set_to_current_time()
        except Exception:
            failures.inc()
            _log.exception("timer failed", timer=timer.name, attempts=trouble.attempts + 1)
            await pause(trouble.next(), stop)
            continue
        trouble.reset()
        if done == 0:
            await pause(interval, stop)


async def tick_once(database: Database, timer: Timer[C] | Job[C], context: C) -> int:
    """One tick in its transaction, zero if another replica is at it; or one run of a job. Raises what that raises."""
    with tracing.start(f"timer {timer.name}"):
        done = await _tick(database, timer, context)
        if not done:
            tracing.forget()
        return done


async def _tick(database: Database, timer: Timer[C] | Job[C], context: C) -> int:
    if isinstance(timer, Job):
        return await timer.run(database, context)

    async def work(tx: Transaction) -> int:
        mine = await tx.fetchval(_LOCK, _LOCK_CLASS, timer.name)
        return await timer.tick(tx, context) if mine else 0

    return await database.run(Scope.service(), work)
