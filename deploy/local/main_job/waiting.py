"""Waiting for what others bring about, with a deadline and a sentence that says what did not happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from clients.refusal import reason_of

T = TypeVar("T")


class TooLateError(RuntimeError):
    """Something that was waited for did not happen in time."""


async def until(what: str, probe: Callable[[], Awaitable[T | None]], within: float = 60.0, every: float = 0.05) -> T:
    """Asks again and again until `probe` gives something. Raises TooLateError naming `what`."""
    deadline = time.monotonic() + within
    while True:
        if (found := await probe()) is not None:
            return found
        if time.monotonic() > deadline:
            raise TooLateError(f"{what}: not within {within:.0f} s")
        await asyncio.sleep(every)


async def once_known(what: str, call: Callable[[], Awaitable[T]], *reasons: str) -> T:
    """Makes a call that may come before the events that it stands on: again while it fails for one of `reasons`."""

    async def probe() -> tuple[T] | None:
        try:
            return (await call(),)
        except grpc.aio.AioRpcError as error:
            if reason_of(error) not in reasons:
                raise
            return None

    (result,) = await until(what, probe)
    return result
