"""Waiting for what others bring about, with a deadline and a sentence that says what did not happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import grpc

from chassis.telemetry.client_calls import counted
from clients.refusal import reason_of
from clients.session import Session

T = TypeVar("T")

PATIENCE = 180.0
"""Seconds to wait for what takes none on a machine that has nothing else to do."""


class TooLateError(RuntimeError):
    """Something that was waited for did not happen in time."""


def patient(addresses: Mapping[str, str]) -> Session:
    """A session that makes calls again for so long, and whose calls this process counts."""
    return Session(addresses, patience=PATIENCE, interceptors=counted())


async def until(
    what: str,
    probe: Callable[[], Awaitable[T | None]],
    within: float = PATIENCE,
    every: float = 0.05,
    moving: Callable[[], object] | None = None,
) -> T:
    """Asks again and again until `probe` gives something. Raises TooLateError naming `what`.

    The time begins anew whenever what `moving` gives has changed: how long it takes is the machine's to say.
    """
    since, stood = time.monotonic(), moving() if moving else None
    while True:
        if (found := await probe()) is not None:
            return found
        if moving and (stands := moving()) != stood:
            since, stood = time.monotonic(), stands
        if time.monotonic() - since > within:
            raise TooLateError(
                f"{what}: not within {within:.0f} s{' of the last thing that happened' if moving else ''}"
            )
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
