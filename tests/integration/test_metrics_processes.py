"""Each process tells its metrics: which it is, what it is asked and refuses, who waits for its database."""

from __future__ import annotations

import asyncio
from pathlib import Path

import grpc
import pytest
from preceptor.tasking.v1 import work_pb2, work_pb2_grpc

import chassis.db
from chassis.db import Database, DatabaseUnavailable, Scope
from chassis.telemetry import process
from tests.support.bus import eventually
from tests.support.metrics import Series, rising, scrape, value
from tests.support.platform import Live
from tests.support.processes import identity

CLAIM = "preceptor.tasking.v1.WorkService/ClaimTask"
READ = "preceptor_outbox_events"


def labels(**named: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(named.items()))


async def of_tasking(live: Live) -> Series:
    return await scrape(live.platform.metrics()["tasking"])


async def test_a_process_says_which_it_is_and_that_it_is_ready(live: Live) -> None:
    found = await of_tasking(live)
    [info] = found["preceptor_process_info"]
    assert dict(info).items() >= {"service": "tasking", "role": "all"}.items()
    assert found["preceptor_ready"] == {(): 1}
    assert found["db_client_connection_max"] == {(): 8}


async def test_the_stack_tells_where_each_process_has_its_metrics(live: Live) -> None:
    described = live.platform.describe()["metrics"]
    assert described == {name: f"http://{address}/metrics" for name, address in live.platform.metrics().items()}
    assert live.platform.metrics().keys() == {"identity", "tasking", "scoring", "payouts", "callers"}


@pytest.mark.parametrize(("role", "reads"), [("grpc", False), ("events", True)])
async def test_every_role_tells_and_what_is_read_from_the_database_is_told_by_events_alone(
    live: Live, tmp_path: Path, role: str, reads: bool
) -> None:
    async with identity(live, tmp_path, role, PRECEPTOR_READINGS_EVERY="0.1") as running:

        async def told() -> bool:
            found = await scrape(running.metrics)
            return found["preceptor_ready"] == {(): 1} and (READ in found) == reads

        await eventually(told)


async def test_a_refused_call_is_counted_by_code_fault_and_reason(live: Live) -> None:
    async def counted() -> tuple[float, float]:
        found = await of_tasking(live)
        ended = labels(rpc_method=CLAIM, rpc_response_status_code="UNAUTHENTICATED", fault="client")
        refused = labels(rpc_method=CLAIM, reason="TOKEN_MISSING")
        counts = found["rpc_server_call_duration_seconds_count"]
        return counts.get(ended, 0), found["preceptor_rpc_refusals_total"].get(refused, 0)

    before = await counted()
    with pytest.raises(grpc.aio.AioRpcError):
        await work_pb2_grpc.WorkServiceStub(live.channels["tasking"]).ClaimTask(work_pb2.ClaimTaskRequest())

    async def one_more() -> bool:
        after = await counted()
        return after[0] > before[0] and after[1] > before[1]

    await eventually(one_more)


async def test_what_strangers_send_never_becomes_a_label(live: Live) -> None:
    for path in ("/no.such.Service/Method", "/preceptor.tasking.v1.WorkService/NoSuchMethod"):
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = live.channels["tasking"].unary_unary(path)
        with pytest.raises(grpc.aio.AioRpcError):
            await call(b"")
    names = str(await of_tasking(live))
    assert "no.such" not in names
    assert "NoSuchMethod" not in names


async def test_who_waits_for_a_connection_and_who_gets_none_is_told(
    tasking_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chassis.db, "_ACQUIRE_SECONDS", 0.05)
    database = await Database.connect(tasking_url, max_size=1)

    async def told() -> bool:
        return value("db_client_connection_pending_requests") == 1

    async with process.told("tasking", "all", "127.0.0.1:0", database, lambda: True) as port:
        with rising("db_client_connection_timeouts_total") as timeouts:
            async with database.transaction(Scope.service()):
                with pytest.raises(DatabaseUnavailable):
                    await database.ping()
                assert timeouts() == 1
                monkeypatch.setattr(chassis.db, "_ACQUIRE_SECONDS", 120.0)
                waiting = asyncio.ensure_future(database.ping())

                async def seen() -> bool:
                    await scrape(f"127.0.0.1:{port}")
                    return await told()

                await eventually(seen)
                assert value("db_client_connection_count", db_client_connection_state="used") == 1
            await waiting
    await database.close()
