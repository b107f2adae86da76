"""A server answers every call, whatever comes instead of its message, and lets nobody use up its room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast
from uuid import UUID

import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2
from preceptor.identity.v1 import session_pb2

from chassis.db import Database
from chassis.rpc.call import Call
from chassis.rpc.gate import Gate, TooManyCalls
from chassis.rpc.pipeline import Server
from chassis.rpc.server import LIVENESS, Health, build
from chassis.rpc.table import plain
from chassis.rpc.tokens import TokenVerifier
from chassis.settings import ChassisSettings
from deploy.local.ports import free_port
from services.identity.service import SERVICE
from tests.support.bus import eventually
from tests.support.rawhttp2 import Connection, Reply, connected, framed, grpc_headers

SESSIONS = "preceptor.identity.v1.SessionService"
OPEN, CLOSED = f"/{SESSIONS}/GetJwks", f"/{SESSIONS}/SignOut"
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
SERVING = health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVING)
GIVEN = session_pb2.GetJwksResponse(jwks_json="{}")


async def get_jwks(_: Call[object], __: session_pb2.GetJwksRequest) -> session_pb2.GetJwksResponse:
    return GIVEN


@asynccontextmanager
async def running(tmp_path: Path, **changes: object) -> AsyncIterator[str]:
    """The address of a server of identity's contract that answers `GetJwks`, and refuses what needs a token."""
    (tmp_path / "file").touch()
    address = f"127.0.0.1:{free_port()}"
    told = {
        "database_url": "postgresql://identity_app:x@localhost/identity",
        "kafka": {"bootstrap_servers": "localhost:9092"},
        "jwks_file": tmp_path / "file",
        "page_token_key_file": tmp_path / "file",
        "grpc_listen": address,
    }
    settings = ChassisSettings.model_validate({**told, **changes})
    health = Health()
    await health.start()
    tables = {**SERVICE.rpcs, SESSIONS: {**SERVICE.rpcs[SESSIONS], "GetJwks": plain(get_jwks)}}
    server = build("identity", tables, health, Server(cast(Database, None), None, cast(TokenVerifier, None), settings))
    await server.start()
    try:
        yield address
    finally:
        await server.stop(None)


def said(reply: Reply) -> tuple[str, str]:
    """The status of a reply and the reason in its details."""
    status = status_pb2.Status.FromString(reply.details)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details:
        detail.Unpack(info)
    return reply.grpc_status, info.reason


async def begun(connection: Connection, address: str, path: str) -> int:
    """A call whose message has not come."""
    return await connection.open(grpc_headers(address, path))


@pytest.mark.parametrize("path", [OPEN, CHECK, WATCH])
@pytest.mark.parametrize("body", [b"", b"\x00\x00\x00", framed(b"abc", stated=100)], ids=["none", "frame", "cut"])
async def test_a_call_that_ends_without_a_whole_message_is_answered(tmp_path: Path, path: str, body: bytes) -> None:
    async with running(tmp_path) as address, connected(address) as connection:
        stream = await connection.open(grpc_headers(address, path), end=not body)
        await connection.send(stream, body, end=True)

        assert said(await connection.answered(stream)) == ("3", "MESSAGE_MISSING")


@pytest.mark.parametrize("body", [b"", b"\x00", framed(b"abc", stated=100)], ids=["none", "frame", "cut"])
async def test_a_call_whose_message_does_not_come_is_answered_all_the_same(tmp_path: Path, body: bytes) -> None:
    async with running(tmp_path, stranger_deadline="0.2") as address, connected(address) as connection:
        stream = await begun(connection, address, OPEN)
        await connection.send(stream, body)

        assert said(await connection.answered(stream)) == ("4", "DEADLINE_EXCEEDED")


async def test_a_call_without_a_token_is_refused_before_its_message_is_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, default_deadline="3600") as address, connected(address) as connection:
        stream = await begun(connection, address, CLOSED)

        assert said(await connection.answered(stream)) == ("16", "TOKEN_MISSING")


async def test_an_empty_message_is_a_message(tmp_path: Path) -> None:
    async with running(tmp_path) as address, connected(address) as connection:
        stream = await begun(connection, address, OPEN)
        await connection.send(stream, framed(b""), end=True)
        reply = await connection.answered(stream)

        assert (reply.grpc_status, reply.body) == ("0", framed(GIVEN.SerializeToString()))


async def test_what_comes_after_the_message_is_not_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path, default_deadline="3600") as address, connected(address) as connection:
        stream = await begun(connection, address, OPEN)
        await connection.send(stream, framed(b"") + framed(b""))

        assert (await connection.answered(stream)).grpc_status == "0"


async def test_strangers_of_one_network_take_no_more_than_their_share(tmp_path: Path) -> None:
    room: Mapping[str, object] = {"strangers_at_once": 8, "stranger_deadline": "3600", "default_deadline": "3600"}
    async with running(tmp_path, **room) as address, connected(address) as connection:
        held = [await begun(connection, address, OPEN) for _ in range(2)]
        refused = await connection.answered(await begun(connection, address, OPEN))
        known = await connection.answered(await begun(connection, address, CLOSED))
        for stream in held:
            await connection.send(stream, framed(b""), end=True)
        served = [(await connection.answered(stream)).grpc_status for stream in held]
        again = await connection.open(grpc_headers(address, OPEN))
        await connection.send(again, framed(b""), end=True)

        assert said(refused) == ("8", "TOO_MANY_CALLS")
        assert said(known) == ("16", "TOKEN_MISSING"), "who has a token is in another room"
        assert served == ["0", "0"]
        assert (await connection.answered(again)).grpc_status == "0"


async def test_room_is_given_back_by_calls_that_are_given_up(tmp_path: Path) -> None:
    room: Mapping[str, object] = {"strangers_at_once": 1, "stranger_deadline": "3600", "default_deadline": "3600"}
    async with running(tmp_path, **room) as address, connected(address) as connection:
        for _ in range(3):
            await connection.reset(await begun(connection, address, OPEN))

        async def served() -> bool:
            stream = await begun(connection, address, OPEN)
            await connection.send(stream, framed(b""), end=True)
            return (await connection.answered(stream)).grpc_status == "0"

        await eventually(served)


async def test_a_caller_has_an_eighth_of_the_room_and_leaves_the_rest_to_others() -> None:
    gate, one, other = Gate(16, 2), UUID(int=1), UUID(int=2)
    gate.enter(one)
    gate.enter(one)

    with pytest.raises(TooManyCalls):
        gate.enter(one)
    gate.enter(other)
    for caller in (one, other, one):
        gate.leave(caller)
    assert (gate.inside, gate.by_caller) == (0, {})


async def test_a_full_gate_refuses_whoever_comes_and_tells_when_to_try_again() -> None:
    gate = Gate(2, 1)
    gate.enter(UUID(int=1))
    gate.enter(UUID(int=2))
    with pytest.raises(TooManyCalls) as refused:
        gate.enter(UUID(int=3))

    assert refused.value.metadata == {"most": "2"}
    assert refused.value.retry_after is not None


async def test_health_is_told_to_whoever_asks(tmp_path: Path) -> None:
    asked = framed(health_pb2.HealthCheckRequest(service=LIVENESS).SerializeToString())
    async with running(tmp_path) as address, connected(address) as connection:
        check, watch = [await begun(connection, address, path) for path in (CHECK, WATCH)]
        for stream in (check, watch):
            await connection.send(stream, asked, end=True)

        async def told() -> bool:
            return connection.reply(watch).body == framed(SERVING.SerializeToString())

        assert (await connection.answered(check)).body == framed(SERVING.SerializeToString())
        await eventually(told)
