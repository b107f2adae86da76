"""The steps of a call, in their order: deadline, trace, authn, access, validation, idempotency; errors are mapped last.

A handler is built once per method at the start of the server; a call then runs straight through it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias, TypeVar

import grpc
import structlog
from google.protobuf.message import Message

from chassis import tracing
from chassis.contract.access import MethodPolicy
from chassis.db import Database, Transaction
from chassis.errors import DeadlineExceeded, ServiceError
from chassis.ids import new_id
from chassis.rpc import idempotency, status
from chassis.rpc.access import check_access
from chassis.rpc.authn import caller_of
from chassis.rpc.call import Call, Caller
from chassis.rpc.deadline import seconds_left
from chassis.rpc.table import Around, Rpc
from chassis.rpc.tokens import TokenVerifier
from chassis.rpc.validation import check_request
from chassis.settings import ChassisSettings

_log = structlog.get_logger(__name__)

T = TypeVar("T")
Context: TypeAlias = grpc.aio.ServicerContext[Message, Message]


class InternalError(ServiceError):
    """Something went wrong on our side: tell us the incident's id."""

    reason = "INTERNAL"


@dataclass(frozen=True, slots=True)
class Server:
    """What every method needs: made once per process."""

    database: Database
    context: object
    verifier: TokenVerifier
    settings: ChassisSettings


Serve: TypeAlias = Callable[[Caller], Awaitable[Message]]


def unary(server: Server, policy: MethodPolicy, rpc: Rpc) -> Callable[[Message, Context], Awaitable[Message]]:
    """The handler of a method with one request and one response."""

    async def handle(request: Message, context: Context) -> Message:
        async def serve(caller: Caller) -> Message:
            check_request(request)
            return await _around(server, policy, rpc, caller, request)

        return await _steps(server, policy, context, server.settings.default_deadline, serve)

    return handle


def upload(
    server: Server, policy: MethodPolicy, rpc: Rpc
) -> Callable[[AsyncIterator[Message], Context], Awaitable[Message]]:
    """The handler of a method with a stream of requests and one response."""

    async def handle(requests: AsyncIterator[Message], context: Context) -> Message:
        async def serve(caller: Caller) -> Message:
            return await rpc.serve(Call(caller, server.context, server.database), _checked(requests))

        return await _steps(server, policy, context, server.settings.stream_deadline, serve)

    return handle


async def _checked(requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
    async for request in requests:
        check_request(request)
        yield request


async def _steps(
    server: Server, policy: MethodPolicy, context: Context, default_deadline: timedelta, serve: Serve
) -> Message:
    """Deadline, trace, authn and access around `serve`; errors become statuses."""
    metadata = dict(context.invocation_metadata() or ())
    traceparent = metadata.get("traceparent")
    greatest = max(default_deadline, server.settings.greatest_deadline)
    seconds = seconds_left(context.time_remaining(), default_deadline, greatest)
    with tracing.start(traceparent if isinstance(traceparent, str) else None):
        try:
            async with asyncio.timeout(seconds):
                caller = caller_of(metadata, policy, server.verifier)
                check_access(caller, policy)
                return await serve(caller)
        except ServiceError as error:
            _log.info("refused", method=policy.path, reason=error.reason)
            await status.abort(context, error)
        except TimeoutError:
            await status.abort(context, DeadlineExceeded())
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:
            # The client gets an id only: the text of an unforeseen error may quote data.
            incident = str(new_id())
            _log.exception("internal_error", method=policy.path, incident=incident, error=type(error).__name__)
            await status.abort(context, InternalError(incident=incident))


async def _around(server: Server, policy: MethodPolicy, rpc: Rpc, caller: Caller, request: Message) -> Message:
    """Runs a handler with the transaction it was declared with."""
    if rpc.around is Around.PLAIN:
        return await rpc.serve(Call(caller, server.context, server.database), request)
    key = idempotency.key_of(caller, policy, request) if rpc.around is Around.WRITE else None

    async def work(tx: Transaction) -> Message:
        if key and (known := await idempotency.recall(tx, key)) is not None:
            return policy.response_class.FromString(known)
        response = await rpc.serve(Call(caller, server.context, server.database, tx), request)
        if key:
            await idempotency.remember(tx, key, response.SerializeToString())
        return response

    try:
        return await server.database.run(caller.scope, work)
    except idempotency.RepeatInFlight:
        # The other one has committed by now, for its row made ours wait: its response is there.
        return await server.database.run(caller.scope, work)
