"""Spans on their way to a collector, which may be away."""

from __future__ import annotations

import asyncio
import socket
import time

from opentelemetry.proto.trace.v1.trace_pb2 import Status

from chassis import tracing
from chassis.telemetry.spans import exported
from tests.support.collector import collecting


def _work() -> None:
    with tracing.start("call", kind=tracing.Kind.SERVER):
        tracing.note({"rpc.method": "m", "error.type": "INTERNAL_ERROR"})
        with tracing.start("work") as inner:
            pass
        tracing.tell(inner, "told", tracing.Kind.INTERNAL, time.time_ns(), {}, [inner])


async def test_what_was_recorded_arrives_when_the_process_ends() -> None:
    async with collecting() as collector:

        def run() -> None:
            with exported("payouts", "grpc", collector.endpoint, None, 1.0):
                _work()

        await asyncio.to_thread(run)
    found = {kept.span.name: kept.span for kept in collector.kept}
    assert [kept.service for kept in collector.kept] == ["payouts"] * 3
    assert found["work"].parent_span_id == found["call"].span_id
    assert [link.span_id for link in found["told"].links] == [found["work"].span_id]
    assert (found["call"].status.code, found["work"].status.code) == (
        Status.STATUS_CODE_ERROR,
        Status.STATUS_CODE_UNSET,
    )


async def test_a_collector_that_is_away_holds_up_neither_the_work_nor_the_end() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections, and says nothing
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"

        def run() -> None:
            with exported("payouts", "grpc", endpoint, None, 1.0):
                for _ in range(5_000):
                    _work()

        async with asyncio.timeout(25):  # the SDK alone would wait thirty seconds
            await asyncio.to_thread(run)
