"""Calls are counted by method, status code and fault; refusals by their reason; nothing is counted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty

from chassis.telemetry.calls import fault_of, served
from chassis.telemetry.client_calls import counted
from tests.support.metrics import rising, value

METHOD = "tests.Meter/Ask"
OK = {"rpc_method": METHOD, "rpc_response_status_code": "OK", "fault": "none"}


@pytest.mark.parametrize("code", ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE"])
def test_what_a_server_could_not_do_is_its_own_fault(code: str) -> None:
    assert fault_of(code) == "server"


@pytest.mark.parametrize(
    "code", ["INVALID_ARGUMENT", "NOT_FOUND", "UNAUTHENTICATED", "RESOURCE_EXHAUSTED", "CANCELLED"]
)
def test_what_a_caller_asked_wrongly_is_the_caller_s_fault(code: str) -> None:
    assert fault_of(code) == "client"


def test_a_call_is_active_until_it_has_ended_and_then_counted_once() -> None:
    meter = served(f"/{METHOD}")
    with rising("rpc_server_call_duration_seconds_count", **OK) as calls:
        started = meter.begin()
        assert value("rpc_server_active_calls", rpc_method=METHOD) == 1
        meter.end(started, "OK")
        assert value("rpc_server_active_calls", rpc_method=METHOD) == 0
        assert calls() == 1


def test_a_refused_call_is_counted_by_its_reason() -> None:
    meter = served(f"/{METHOD}")
    with rising("preceptor_rpc_refusals_total", rpc_method=METHOD, reason="TOO_MANY_CALLS") as refusals:
        meter.end(meter.begin(), "RESOURCE_EXHAUSTED", "TOO_MANY_CALLS")
        meter.end(meter.begin(), "OK")
        assert refusals() == 1


@asynccontextmanager
async def answering(seen: list[float]) -> AsyncIterator[grpc.aio.Channel]:
    """A channel to a server that answers `Ask` and refuses `Refuse`; it looks how many calls are active meanwhile."""

    async def ask(_: Empty, __: grpc.aio.ServicerContext[Empty, Empty]) -> Empty:
        seen.append(value("rpc_client_active_calls", rpc_method=METHOD))
        return Empty()

    async def refuse(_: Empty, context: grpc.aio.ServicerContext[Empty, Empty]) -> Empty:
        await context.abort(grpc.StatusCode.NOT_FOUND)

    handlers = {
        name: grpc.unary_unary_rpc_method_handler(handler, Empty.FromString, Empty.SerializeToString)
        for name, handler in (("Ask", ask), ("Refuse", refuse))
    }
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tests.Meter", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", interceptors=counted()) as channel:
        yield channel
    await server.stop(None)


async def test_a_client_s_calls_are_counted_as_they_end() -> None:
    seen: list[float] = []
    refused = {"rpc_response_status_code": "NOT_FOUND", "fault": "client"}
    name = "rpc_client_call_duration_seconds_count"
    async with answering(seen) as channel:
        with rising(name, **OK) as answered, rising(name, rpc_method="tests.Meter/Refuse", **refused) as failed:
            ask, refuse = (
                channel.unary_unary(f"/tests.Meter/{method}", Empty.SerializeToString, Empty.FromString)
                for method in ("Ask", "Refuse")
            )
            await ask(Empty())
            with pytest.raises(grpc.aio.AioRpcError):
                await refuse(Empty())
            assert (answered(), failed(), seen) == (1, 1, [1])
    assert value("rpc_client_active_calls", rpc_method=METHOD) == 0
