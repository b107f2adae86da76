"""Calls that are made again, for whoever would rather wait than fail: a job on a machine that is busy with others.

What a channel retries by itself (`clients/channel.py`) is over in seconds, and is UNAVAILABLE alone.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from clients.channel import repeatable

_PAUSES = (0.2, 5.0)
_PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
# They have no request id, and a second one does no more harm than the first: the session that nobody heard of runs out.
_SIGNS_IN = {
    "/preceptor.identity.v1.SessionService/SignIn",
    "/preceptor.identity.v1.SessionService/ExchangeApiKey",
}

Q = TypeVar("Q")
R = TypeVar("R")
Continuation = Callable[[grpc.aio.ClientCallDetails, Q], Awaitable["grpc.aio.UnaryUnaryCall[Q, R]"]]


class Retrying(grpc.aio.UnaryUnaryClientInterceptor):
    """Makes a call again, later each time, while its failure passes and a repeat does no harm.

    That is: while the server says when to come again, whatever the call; and, of calls that only read or whose request
    has its id, while there is no answer (UNAVAILABLE, DEADLINE_EXCEEDED).
    """

    def __init__(self, within: float) -> None:
        """Takes for how many seconds a call is made again."""
        self._within = within

    async def intercept_unary_unary(
        self, continuation: Continuation[Q, R], client_call_details: grpc.aio.ClientCallDetails, request: Q
    ) -> R:
        """The answer. Raises `grpc.aio.AioRpcError`, the last one."""
        deadline, pause = time.monotonic() + self._within, _PAUSES[0]
        while True:
            try:
                call = await continuation(client_call_details, request)
                return await call
            except grpc.aio.AioRpcError as error:
                asked = pause_asked_for(error)
                if asked is None and not _may_repeat(_text(client_call_details.method), request, error):
                    raise
                wait = max(asked or 0.0, pause) * random.uniform(0.5, 1.5)  # noqa: S311 - a jitter
                if time.monotonic() + wait > deadline:
                    raise
            await asyncio.sleep(wait)
            pause = min(pause * 2, _PAUSES[1])


def pause_asked_for(error: grpc.aio.AioRpcError) -> float | None:
    """After how many seconds the server wants to be asked again (`google.rpc.RetryInfo`); None if it does not say."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin" and isinstance(value, bytes):
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.RetryInfo()
                if detail.Unpack(info):
                    return info.retry_delay.ToTimedelta().total_seconds()
    return None


def _may_repeat(method: str, request: object, error: grpc.aio.AioRpcError) -> bool:
    if error.code() not in _PASSING:
        return False
    return method in _SIGNS_IN or (method in repeatable() and bool(getattr(request, "request_id", "read")))


def _text(method: str | bytes) -> str:
    return method.decode() if isinstance(method, bytes) else method
