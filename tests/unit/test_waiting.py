"""Pauses end at once when told to, and grow while nothing works."""

from __future__ import annotations

import asyncio
import time

from chassis.waiting import Backoff, pause


async def test_a_pause_ends_when_any_of_its_events_is_set() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(second.set)
    started = time.monotonic()
    await pause(30, first, second)
    assert time.monotonic() - started < 5


async def test_a_pause_does_not_begin_when_its_event_is_set_already() -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(1):
        await pause(30, stop)


async def test_a_pause_ends_by_itself() -> None:
    await pause(0.001, asyncio.Event())


def test_a_backoff_doubles_with_jitter_up_to_its_longest() -> None:
    backoff = Backoff(0.1, 1.0)
    for step in (0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
        assert step / 2 <= backoff.next() <= step
    assert backoff.attempts == 6
    backoff.reset()
    assert backoff.next() <= 0.1
