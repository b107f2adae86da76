"""Calls that a client makes, counted: interceptors for channels of `grpc.aio`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import grpc

from chassis.telemetry.calls import MethodMeter, made

Q = TypeVar("Q")
K = TypeVar("K", bound=grpc.aio.Call)
Continuation = Callable[[grpc.aio.ClientCallDetails, Q], Awaitable[K]]

# By method of those that the program calls. Calls are counted together, whatever channel they are made on.
_METERS: dict[str, MethodMeter] = {}


def counted() -> tuple[grpc.aio.ClientInterceptor, ...]:
    """What counts a channel's calls with one answer. Those that others make again are counted each time if it is last.

    The requests of an upload must be handed to it as an iterator.
    """
    return _Unary(), _Upload()  # a channel heeds one kind of call of each interceptor


class _Unary(grpc.aio.UnaryUnaryClientInterceptor):
    async def intercept_unary_unary(
        self, continuation: Continuation[Q, K], client_call_details: grpc.aio.ClientCallDetails, request: Q
    ) -> K:
        return await _count(continuation, client_call_details, request)


class _Upload(grpc.aio.StreamUnaryClientInterceptor):
    async def intercept_stream_unary(
        self, continuation: Continuation[Q, K], client_call_details: grpc.aio.ClientCallDetails, request_iterator: Q
    ) -> K:
        return await _count(continuation, client_call_details, request_iterator)


async def _count(continuation: Continuation[Q, K], details: grpc.aio.ClientCallDetails, request: Q) -> K:
    """Makes a call and counts it when it has ended, as what it ended with."""
    meter, code = _meter(details.method), grpc.StatusCode.CANCELLED
    started = meter.begin()
    try:
        call = await continuation(details, request)
        code = await call.code()
        return call
    finally:
        meter.end(started, code.name)


def _meter(method: str | bytes) -> MethodMeter:
    path = method.decode() if isinstance(method, bytes) else method
    if (meter := _METERS.get(path)) is None:
        meter = _METERS[path] = made(path)
    return meter
