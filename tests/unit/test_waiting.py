"""Pauses end at once when told to, and grow while nothing works."""

from __future__ import annotations

import asyncio
import time

import pytest

from chassis.waiting import Backoff, beside, pause


async def test_a_pause_ends_when_any_of_its_events_is_set() -> None:
    first, second = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_soon(second.set)
    started = time.monotonic()
    await pause(3000, first, second)
    assert time.monotonic() - started < 3000


async def test_a_pause_does_not_begin_when_its_event_is_set_already() -> None:
    stop = asyncio.Event()
    stop.set()
    started = time.monotonic()
    await pause(3000, stop)
    assert time.monotonic() - started < 3000


async def test_a_pause_ends_by_itself() -> None:
    started = time.monotonic()
    await pause(0.05, asyncio.Event())
    assert time.monotonic() - started > 0.04


async def test_work_begins_before_the_body_beside_it_and_is_done_after_it() -> None:
    seen, answered = [], asyncio.Event()

    async def work() -> str:
        seen.append("sent")
        await answered.wait()
        seen.append("answered")
        return "rows"

    async with beside(work()) as task:
        seen.append("body")
        answered.set()
    assert seen == ["sent", "body", "answered"]
    assert task.result() == "rows"


async def test_what_the_work_raises_is_raised_after_the_body() -> None:
    async def work() -> None:
        await asyncio.sleep(0)
        raise LookupError

    done = False
    with pytest.raises(LookupError):
        async with beside(work()):
            done = True
    assert done


async def test_what_the_body_raises_calls_off_the_work() -> None:
    called_off = asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            called_off.set()
            raise

    with pytest.raises(LookupError):
        async with beside(work()):
            raise LookupError
    assert called_off.is_set()


def test_a_backoff_doubles_with_jitter_up_to_its_longest() -> None:
    backoff = Backoff(0.1, 1.0)
    for step in (0.1, 0.2, 0.4, 0.8, 1.0, 1.0):
        assert step / 2 <= backoff.next() <= step
    assert backoff.attempts == 6
    backoff.reset()
    assert backoff.next() <= 0.1
