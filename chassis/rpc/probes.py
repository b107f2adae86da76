"""The health service of gRPC, whose calls are answered like all others when their message does not come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar, cast

import grpc
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_health.v1.health import aio as aio_health

from chassis.errors import DeadlineExceeded, ServiceError
from chassis.rpc import status
from chassis.rpc.receiving import Context, first_message

NAME = "grpc.health.v1.Health"
# In which a probe must have said what it asks for.
_SECONDS = 10.0
_SERIALIZE = health_pb2.HealthCheckResponse.SerializeToString

T = TypeVar("T")


def probes(servicer: aio_health.HealthServicer) -> grpc.GenericRpcHandler:
    """The handlers of `Check` and `Watch`."""
    check = cast(Callable[[Message, Context], Awaitable[Message]], servicer.Check)
    watch = cast(Callable[[Message, Context], Awaitable[None]], servicer.Watch)
    return grpc.method_handlers_generic_handler(
        NAME,
        {
            "Check": grpc.stream_unary_rpc_method_handler(_with_message(check), None, _SERIALIZE),
            "Watch": grpc.stream_stream_rpc_method_handler(_with_message(watch), None, _SERIALIZE),
        },
    )


def _with_message(
    serve: Callable[[Message, Context], Awaitable[T]],
) -> Callable[[AsyncIterator[bytes], Context], Awaitable[T]]:
    async def handle(_: AsyncIterator[bytes], context: Context) -> T:
        try:
            async with asyncio.timeout(_SECONDS):
                raw = await first_message(context)
        except TimeoutError:
            await status.abort(context, DeadlineExceeded())
        except ServiceError as error:
            await status.abort(context, error)
        return await serve(health_pb2.HealthCheckRequest.FromString(raw), context)

    return handle
