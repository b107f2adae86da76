"""A server starts only if the contract and the tables are one; what it tells of itself; how long connections live."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias, cast

import pytest
from google.protobuf.message import Message
from grpc.aio import ServicerContext
from grpc_health.v1 import health_pb2

from chassis.contract.access import policies
from chassis.db import Database
from chassis.rpc.call import Call
from chassis.rpc.pipeline import Server
from chassis.rpc.server import LIVENESS, READINESS, Health, build, options
from chassis.rpc.table import Rpc, plain, read, write
from chassis.rpc.tokens import TokenVerifier
from chassis.settings import ChassisSettings
from clients import channel
from deploy.local.services import SERVICES
from services.identity.service import SERVICE

VENDORS = "preceptor.identity.v1.VendorService"
NoContext: TypeAlias = "ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]"
SERVING = health_pb2.HealthCheckResponse.SERVING


async def nothing(call: Call[object], request: Message) -> Message:
    return request


def tables(**changes: Rpc | None) -> dict[str, Mapping[str, Rpc]]:
    """Identity's tables with changes to the methods of vendors; `None` leaves one out."""
    vendors = {**SERVICE.rpcs[VENDORS], **changes}
    return {**SERVICE.rpcs, VENDORS: {method: rpc for method, rpc in vendors.items() if rpc}}


def settings(tmp_path: Path, **changes: object) -> ChassisSettings:
    (tmp_path / "file").touch()
    told = {
        "database_url": "postgresql://identity_app:x@localhost/identity",
        "kafka": {"bootstrap_servers": "localhost:9092"},
        "jwks_file": tmp_path / "file",
        "page_token_key_file": tmp_path / "file",
        "grpc_listen": "127.0.0.1:0",
    }
    return ChassisSettings.model_validate({**told, **changes})


def start(tmp_path: Path, rpcs: Mapping[str, Mapping[str, Rpc]]) -> None:
    """Builds a server that is never called."""
    server = Server(cast(Database, None), None, cast(TokenVerifier, None), settings(tmp_path))
    build("identity", rpcs, Health(), server)


async def test_a_server_is_built_from_complete_tables(tmp_path: Path) -> None:
    start(tmp_path, tables())


async def test_a_method_without_a_handler_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"VendorService: .* differ in GetVendor"):
        start(tmp_path, tables(GetVendor=None))


async def test_a_handler_without_a_method_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"VendorService: .* differ in DropVendor"):
        start(tmp_path, tables(DropVendor=write(nothing)))


async def test_a_service_of_the_contract_without_a_table_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=VENDORS):
        start(tmp_path, {name: table for name, table in SERVICE.rpcs.items() if name != VENDORS})


@pytest.mark.parametrize("around", [read, plain])
async def test_a_handler_that_would_ignore_request_ids_stops_the_start(tmp_path: Path, around: type) -> None:
    with pytest.raises(RuntimeError, match=r"VendorService: requests with an id .*: CreateVendor"):
        start(tmp_path, tables(CreateVendor=around(nothing)))


async def test_an_address_that_is_no_own_stops_the_start(tmp_path: Path) -> None:
    server = Server(
        cast(Database, None), None, cast(TokenVerifier, None), settings(tmp_path, grpc_listen="192.0.2.1:5")
    )
    with pytest.raises(RuntimeError, match=r"192\.0\.2\.1:5"):
        build("identity", tables(), Health(), server)


async def test_a_process_is_alive_from_the_start_and_ready_when_told_so() -> None:
    health = Health(("a.Service",))
    await health.start()
    assert await told(health, LIVENESS) == SERVING
    assert [await told(health, name) for name in (READINESS, "a.Service", "")] != [SERVING] * 3

    await health.set_ready(True)
    assert [await told(health, name) for name in (READINESS, "a.Service", "")] == [SERVING] * 3

    await health.set_ready(False)
    assert await told(health, LIVENESS) == SERVING
    assert SERVING not in [await told(health, name) for name in (READINESS, "a.Service", "")]


def test_an_old_connection_outlives_the_longest_call_on_it(tmp_path: Path) -> None:
    made = dict(options(settings(tmp_path, stream_deadline=timedelta(minutes=40), grace=timedelta(seconds=1))))

    assert made["grpc.max_connection_age_ms"] == 300_000
    assert made["grpc.max_connection_age_grace_ms"] == 40 * 60_000


def test_what_clients_send_to_keep_connections_is_not_too_much_for_servers(tmp_path: Path) -> None:
    client = dict(channel.OPTIONS)
    server = dict(options(settings(tmp_path)))

    assert client["grpc.keepalive_time_ms"] == 30_000
    assert server["grpc.http2.min_recv_ping_interval_without_data_ms"] < 30_000


async def told(health: Health, name: str) -> int:
    """What the health service says of a name."""
    reply = await health.servicer.Check(health_pb2.HealthCheckRequest(service=name), cast("NoContext", None))
    return int(reply.status)


def test_clients_repeat_by_themselves_only_what_does_no_harm() -> None:
    retried = {f"{name['service']}/{name['method']}" for name in channel._repeatable()}

    assert "preceptor.tasking.v1.WorkService/SubmitAnswer" in retried
    assert "preceptor.tasking.v1.BatchService/GetBatch" in retried
    assert "preceptor.identity.v1.VendorService/CreateApiKey" not in retried
    assert retried <= {path[1:] for service in SERVICES for path in policies(service)}
