"""Waiting that a stop cuts short, and pauses that grow."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

R = TypeVar("R")


async def pause(seconds: float, *wakers: asyncio.Event) -> None:
    """Returns after `seconds`, or as soon as one of the events is set."""
    if any(waker.is_set() for waker in wakers):
        return
    waiting = [asyncio.ensure_future(waker.wait()) for waker in wakers]
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiting:
            waiter.cancel()


@asynccontextmanager
async def beside(work: Coroutine[None, None, R]) -> AsyncIterator[asyncio.Task[R]]:
    """Begins work that waits for another process, such as a statement, and runs the body meanwhile; then both are done,
    and what the work gives is the task's result.

    For a body that computes, without waiting. Raises what the body raises, having called off the work, else what the
    work raises.
    """
    task = asyncio.ensure_future(work)
    try:
        for _ in range(2):  # it begins in the first turn of the loop, and what it sends leaves before the second
            await asyncio.sleep(0)
        yield task
    except BaseException:
        task.cancel()
        with suppress(BaseException):
            await task
        raise
    await task


async def side_by_side(*works: Coroutine[None, None, object]) -> None:
    """Does works at the same time, each to its end; then raises the first error, in their order, if there is one."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


class Backoff:
    """Pauses that double from `first` to `longest` seconds, with jitter so that replicas do not retry in step."""

    def __init__(self, first: float, longest: float) -> None:
        """Starts at `first`."""
        self._first = first
        self._longest = longest
        self._attempts = 0

    @property
    def attempts(self) -> int:
        """How many pauses were taken since the start or the last `reset`."""
        return self._attempts

    def next(self) -> float:
        """The seconds to wait now: between half of the current step and all of it."""
        step = min(self._longest, self._first * 2.0 ** min(self._attempts, 30))
        self._attempts += 1
        return step * random.uniform(0.5, 1.0)  # noqa: S311

    def reset(self) -> None:
        """Starts over: something worked."""
        self._attempts = 0
