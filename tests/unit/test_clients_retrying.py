"""Calls that are made again: only what passes, and only where a repeat does no harm."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from preceptor.identity.v1 import account_pb2, account_pb2_grpc, session_pb2
from preceptor.tasking.v1 import batch_pb2, batch_pb2_grpc

from clients.session import Session

CODES = {code.value[0]: code for code in grpc.StatusCode}


@asynccontextmanager
async def failing(*failures: status_pb2.Status, patience: float = 60.0) -> AsyncIterator[tuple[Session, list[bytes]]]:
    """A server that fails as told, one call after the other, and then answers with nothing; and what it was asked."""
    left, asked = list(failures), list[bytes]()

    async def answer(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        asked.append(request)
        if left:
            failure = left.pop(0)
            details = ("grpc-status-details-bin", failure.SerializeToString())
            await context.abort(CODES[failure.code], failure.message, trailing_metadata=(details,))
        return b""

    class Anything(grpc.GenericRpcHandler):
        def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.aio.server()
    server.add_generic_rpc_handlers([Anything()])
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Session({"identity": f"127.0.0.1:{port}", "tasking": f"127.0.0.1:{port}"}, patience=patience) as one:
            yield one, asked
    finally:
        await server.stop(None)


def status(code: int, *details: Message) -> status_pb2.Status:
    made = status_pb2.Status(code=code, message="not now")
    for detail in details:
        made.details.add().Pack(detail)
    return made


def come_again(after: timedelta) -> error_details_pb2.RetryInfo:
    info = error_details_pb2.RetryInfo()
    info.retry_delay.FromTimedelta(after)
    return info


OPEN = batch_pb2.OpenBatchRequest(name="batches/1", request_id="01920000-0000-7000-8000-000000000000")


async def test_a_call_with_a_request_id_is_made_again_until_there_is_an_answer() -> None:
    late, away = status(code_pb2.DEADLINE_EXCEEDED), status(code_pb2.UNAVAILABLE)
    async with failing(late, away, late) as (session, asked):
        await batch_pb2_grpc.BatchServiceStub(session.channel("tasking")).OpenBatch(OPEN)
    assert asked == [OPEN.SerializeToString()] * 4


async def test_whoever_is_told_when_to_come_again_does_so_whatever_the_call() -> None:
    full = status(code_pb2.RESOURCE_EXHAUSTED, come_again(timedelta(milliseconds=10)))
    async with failing(full, full) as (session, asked):
        accounts = account_pb2_grpc.AccountServiceStub(session.channel("identity"))
        await accounts.RegisterExpert(account_pb2.RegisterExpertRequest(email="ann@example.com"))
    assert len(asked) == 3


async def test_a_sign_in_that_nobody_answered_is_tried_again() -> None:
    async with failing(status(code_pb2.DEADLINE_EXCEEDED)) as (session, asked):
        await session.sign_in("ann@example.com", "correct horse battery")
    assert [session_pb2.SignInRequest.FromString(one).email for one in asked] == ["ann@example.com"] * 2


@pytest.mark.parametrize(
    ("request_", "failure"),
    [
        (batch_pb2.OpenBatchRequest(name="batches/1"), status(code_pb2.DEADLINE_EXCEEDED)),
        (OPEN, status(code_pb2.RESOURCE_EXHAUSTED)),
        (OPEN, status(code_pb2.INTERNAL)),
        (OPEN, status(code_pb2.FAILED_PRECONDITION)),
    ],
)
async def test_nothing_else_is_made_again(request_: batch_pb2.OpenBatchRequest, failure: status_pb2.Status) -> None:
    async with failing(failure) as (session, asked):
        with pytest.raises(grpc.aio.AioRpcError):
            await batch_pb2_grpc.BatchServiceStub(session.channel("tasking")).OpenBatch(request_)
    assert len(asked) == 1


async def test_a_pause_that_is_longer_than_the_patience_ends_it() -> None:
    full = status(code_pb2.RESOURCE_EXHAUSTED, come_again(timedelta(minutes=10)))
    async with failing(full, patience=1.0) as (session, asked):
        with pytest.raises(grpc.aio.AioRpcError, match="not now"):
            await batch_pb2_grpc.BatchServiceStub(session.channel("tasking")).OpenBatch(OPEN)
    assert len(asked) == 1
