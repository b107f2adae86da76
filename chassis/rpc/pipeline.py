"""The steps of a call, in order: trace, deadline, authn, access, gate, message, validation, idempotency; errors last.

A handler is built once per method at the start of the server; a call then runs straight through it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TypeAlias

import structlog
from google.protobuf.message import Message

from chassis import tracing
from chassis.contract.access import ANYONE, MethodPolicy
from chassis.contract.largest import LARGEST_MESSAGE
from chassis.db import Database, Transaction
from chassis.errors import DeadlineExceeded, FailedPrecondition, ServiceError
from chassis.ids import new_id
from chassis.rpc import idempotency, status
from chassis.rpc.access import check_access
from chassis.rpc.authn import caller_of
from chassis.rpc.call import Call, Caller
from chassis.rpc.deadline import seconds_left
from chassis.rpc.gate import Gate, Gates
from chassis.rpc.receiving import Context, first_message
from chassis.rpc.revocations import Revocations
from chassis.rpc.source import source_of
from chassis.rpc.table import Around, Rpc
from chassis.rpc.tokens import TokenVerifier
from chassis.rpc.validation import read_request
from chassis.settings import ChassisSettings
from chassis.telemetry.calls import MethodMeter, fault_of, served
from chassis.tracing import Notes

_log = structlog.get_logger(__name__)


class ReplyTooLarge(FailedPrecondition):
    """The reply would be larger than clients take: ask for less at once, as by a smaller page."""

    reason = "REPLY_TOO_LARGE"


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
    revocations: Revocations = field(default_factory=Revocations)
    gates: Gates = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "gates", Gates.from_settings(self.settings))


Serve: TypeAlias = Callable[[Caller, timedelta], Awaitable[bytes]]
"""The rest of a call, once it is known who calls and how long it may take; it gives the response's bytes."""


Metadata: TypeAlias = Mapping[str, str | bytes]

Handler: TypeAlias = Callable[[AsyncIterator[bytes], Context], Awaitable[bytes]]


def unary(server: Server, policy: MethodPolicy, rpc: Rpc) -> Handler:
    """The handler of a method with one request and one response. Access is checked before the bytes are waited for."""
    bounds = _bounds(server, policy)

    async def handle(_: AsyncIterator[bytes], context: Context) -> bytes:
        async def serve(caller: Caller, left: timedelta) -> bytes:
            request = read_request(policy.request_class, await first_message(context))
            return await _around(server, policy, rpc, caller, request, left)

        return await _steps(server, policy, bounds, context, serve)

    return handle


def upload(server: Server, policy: MethodPolicy, rpc: Rpc) -> Handler:
    """The handler of a method with a stream of requests and one response."""
    bounds = _bounds(server, policy)

    async def handle(stream: AsyncIterator[bytes], context: Context) -> bytes:
        async def serve(caller: Caller, _: timedelta) -> bytes:
            requests = (read_request(policy.request_class, raw) async for raw in stream)
            return _written(await rpc.serve(Call(caller, server.context, server.database), requests))

        return await _steps(server, policy, bounds, context, serve)

    return handle


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What the calls of a method may take, and where they are counted."""

    method: str
    gate: Gate
    meter: MethodMeter
    default: timedelta
    """How long a call may last that states no deadline."""
    greatest: timedelta
    """How long any may."""


def _bounds(server: Server, policy: MethodPolicy) -> _Bounds:
    settings, method = server.settings, policy.path.removeprefix("/")
    gate, meter = server.gates.of(policy), served(policy.path)
    if policy.client_streaming:
        greatest = max(settings.stream_deadline, settings.greatest_deadline)
        return _Bounds(method, gate, meter, settings.stream_deadline, greatest)
    greatest = settings.stranger_deadline if ANYONE in policy.callers else settings.greatest_deadline
    return _Bounds(method, gate, meter, settings.default_deadline, greatest)


async def _steps(server: Server, policy: MethodPolicy, bounds: _Bounds, context: Context, serve: Serve) -> bytes:
    """Trace around a call, which is counted; errors become statuses."""
    metadata = dict(context.invocation_metadata() or ())
    traceparent = metadata.get("traceparent")
    code, reason, started = "CANCELLED", "", bounds.meter.begin()
    parent = traceparent if isinstance(traceparent, str) else None
    with tracing.start(bounds.method, parent, kind=tracing.Kind.SERVER, decide=True) as span:
        try:
            written = await _admitted(server, policy, bounds, context, metadata, serve)
            code = "OK"
            return written
        except ServiceError as error:
            code, reason = error.code.name, error.reason
            _log.info("refused", method=policy.path, reason=reason)
            await status.abort(context, error)
        except Exception as error:
            # The client gets an id only: the text of an unforeseen error may quote data.
            code, reason, incident = InternalError.code.name, InternalError.reason, str(new_id())
            _log.exception("internal_error", method=policy.path, incident=incident, error=type(error).__name__)
            await status.abort(context, InternalError(incident=incident))
        finally:
            bounds.meter.end(started, code, reason)
            if span.sampled:
                tracing.note(_notes(bounds.method, code, reason))


def _notes(method: str, code: str, reason: str) -> Notes:
    """What a span tells of a call: of a failure the class's name, if it is ours."""
    notes: Notes = {"rpc.system.name": "grpc", "rpc.method": method, "rpc.response.status_code": code}
    return {**notes, "error.type": reason or code} if fault_of(code) == "server" else notes


async def _admitted(
    server: Server, policy: MethodPolicy, bounds: _Bounds, context: Context, metadata: Metadata, serve: Serve
) -> bytes:
    """Deadline, authn, access and gate around `serve`."""
    seconds = seconds_left(context.time_remaining(), bounds.default, bounds.greatest)
    caller = caller_of(metadata, policy, server.verifier, server.revocations)
    if ANYONE in policy.callers:
        source = source_of(context.peer(), metadata, server.settings.trusted_edges)
        caller = replace(caller, source=source)
    check_access(caller, policy)
    whose = caller.source or caller.subject
    bounds.gate.enter(whose)
    try:
        return await _bounded(serve(caller, timedelta(seconds=seconds)), seconds)
    finally:
        bounds.gate.leave(whose)


async def _bounded(work: Awaitable[bytes], seconds: float) -> bytes:
    """Does the work. Raises `DeadlineExceeded` when the call's time is up, and only then."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise DeadlineExceeded from None
        raise


async def _around(
    server: Server, policy: MethodPolicy, rpc: Rpc, caller: Caller, request: Message, left: timedelta
) -> bytes:
    """Runs a handler with the transaction it was declared with, and writes its response.

    That is done before the commit: what cannot be told has not happened. The database knows the time that is left, too:
    it gives up by itself where nobody lives to cancel the statement.
    """
    if rpc.around is Around.PLAIN:
        return _written(await rpc.serve(Call(caller, server.context, server.database), request))

    async def work(tx: Transaction) -> bytes:
        return await transacted(Call(caller, server.context, server.database, tx), policy, rpc, request)

    return await server.database.run(caller.scope, work, statement_timeout=left)


async def transacted(call: Call[object], policy: MethodPolicy, rpc: Rpc, request: Message) -> bytes:
    """What a handler does in the call's transaction: once, if the request has an id; then the first response again."""
    key = idempotency.key_of(call.caller, policy, request) if rpc.around is Around.WRITE else None
    if key and (known := await idempotency.take(call.tx, key)) is not None:
        return await _again(call, policy, rpc, known)
    response = await rpc.serve(call, request)
    written = _written(response)
    if key:
        kept = written if rpc.brief is None else rpc.brief.of(response).SerializeToString()
        await idempotency.remember(call.tx, key, kept)
    return written


async def _again(call: Call[object], policy: MethodPolicy, rpc: Rpc, known: bytes) -> bytes:
    """The response to a repeat, of what is kept of the first one."""
    if rpc.brief is None:
        return known
    return _written(await rpc.brief.whole(call, policy.response_class.FromString(known)))


def _written(response: Message) -> bytes:
    """The bytes of a response. Raises `ReplyTooLarge` for what clients would not take."""
    written = response.SerializeToString()
    if len(written) > LARGEST_MESSAGE:
        raise ReplyTooLarge(size=str(len(written)), limit=str(LARGEST_MESSAGE))
    return written
