"""How clients call a platform that breaks under them: the same request again until there is an answer."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import grpc
from google.protobuf.message import Message

from clients.session import Session

R = TypeVar("R", bound=Message)
_SECONDS = 5.0
_AGAIN = 0.15
# Without gRPC's own retries: every lost reply is to be seen, and repeated by us.
_OPTIONS = (
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)
LOST = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
"""After these a client does not know, or knows that another try helps."""
_BROKEN = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}


@dataclass
class CallLog:
    """What clients saw of their calls."""

    lost: Counter[str] = field(default_factory=Counter)
    """Calls without a reply, by method."""
    broken: list[str] = field(default_factory=list)
    """Replies that say that something is wrong on the server's side, which none may."""
    open: dict[str, str] = field(default_factory=dict)
    """Request id -> method of the calls that are on their way."""
    answered: set[str] = field(default_factory=set)
    """Request ids of the calls that were answered well."""

    @asynccontextmanager
    async def noting(self, method: str, request_id: str) -> AsyncIterator[None]:
        """Notes a call while it is on its way."""
        self.open[request_id] = method
        try:
            yield
        finally:
            del self.open[request_id]

    def again(self, method: str, code: grpc.StatusCode, details: str) -> bool:
        """Notes how a call failed; gives whether to try the same again."""
        if code in _BROKEN:
            self.broken.append(f"{method}: {code.name} {details}")
        if code in LOST:
            self.lost[method] += 1
        return code in LOST or code in _BROKEN


def channel(address: str, *interceptors: grpc.aio.ClientInterceptor) -> grpc.aio.Channel:
    """A channel that repeats nothing by itself and reconnects soon."""
    return grpc.aio.insecure_channel(address, options=_OPTIONS, interceptors=list(interceptors))


class _Repeat(grpc.aio.UnaryUnaryClientInterceptor):
    """Sends the same request again while there is no answer to it."""

    def __init__(self, log: CallLog) -> None:
        self._log = log

    async def intercept_unary_unary(self, continuation, client_call_details, request):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        details = client_call_details._replace(timeout=_SECONDS)
        while True:
            call = await continuation(details, request)
            code = await call.code()
            method = str(details.method, "utf-8") if isinstance(details.method, bytes) else details.method
            if code is grpc.StatusCode.OK or not self._log.again(method, code, str(await call.details())):
                return call
            await asyncio.sleep(_AGAIN)


class Steadfast(Session):
    """A signed-in caller who repeats each call, with the same request id, until it is answered."""

    def __init__(self, addresses: Mapping[str, str], log: CallLog) -> None:
        """Takes host:port by service name."""
        super().__init__(addresses)
        self._log = log

    def channel(self, service: str) -> grpc.aio.Channel:
        """The channel to a service."""
        if service not in self._channels:
            self._channels[service] = channel(self._addresses[service], _Repeat(self._log))
        return self._channels[service]


async def once(
    log: CallLog, method: str, request_id: str, call: Callable[[float], Awaitable[R]]
) -> R | grpc.aio.AioRpcError:
    """One try of a call: the reply, or how it failed. `call` is given the seconds it may take."""
    async with log.noting(method, request_id):
        try:
            reply = await call(_SECONDS)
            log.answered.add(request_id)
            return reply
        except grpc.aio.AioRpcError as error:
            return error


async def until_answered(
    log: CallLog, method: str, request_id: str, call: Callable[[float], Awaitable[R]]
) -> R | grpc.aio.AioRpcError:
    """Tries a call until it is answered: the reply, or the refusal."""
    while True:
        reply = await once(log, method, request_id, call)
        if not isinstance(reply, grpc.aio.AioRpcError) or not log.again(method, reply.code(), reply.details() or ""):
            return reply
        await asyncio.sleep(_AGAIN)
