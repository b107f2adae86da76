"""The end of a process: told to stop it loses no call; killed it leaves no statement behind for long."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import asyncpg
import grpc
import pytest
import pytest_asyncio
from preceptor.identity.v1 import vendor_pb2, vendor_pb2_grpc

from clients.health import READINESS, serving
from tests.support.bus import eventually
from tests.support.calls import bearer
from tests.support.platform import Live, staff
from tests.support.processes import administrator, empty_database, end_of, identity, settings_of

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest_asyncio.fixture(scope="module")
async def database(live: Live, backend_data: Path) -> AsyncIterator[str]:
    """A migrated database of identity's, which the platform's own identity does not use; gives its URL."""
    async with empty_database(live) as url:
        admin = live.platform.backends.postgres_url
        settings = settings_of(live, PRECEPTOR_DATABASE_URL=url, PRECEPTOR_ADMIN_DATABASE_URL=admin)
        assert (await end_of(backend_data, "migrate", settings))[0] == 0
        yield url


async def test_a_process_told_to_stop_ends_its_calls_and_takes_no_new_ones(
    live: Live, tmp_path: Path, database: str
) -> None:
    async with identity(live, tmp_path, "all", PRECEPTOR_DATABASE_URL=database) as process:
        async with vendors_locked(live, database) as connection:
            slow = asyncio.ensure_future(create_vendor(live, process.address))
            await eventually(lambda: one_waits(connection))

            os.kill(process.process.pid, signal.SIGTERM)

            await eventually(lambda: takes_no_calls(process.address))
            assert await one_waits(connection), "the slow call goes on"
            assert process.process.returncode is None
        assert (await slow).vendor.display_name == "Slow"
        async with asyncio.timeout(120):
            assert await process.process.wait() == 0

    async with administrator(live, database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM vendor") == 1
        assert await connection.fetchval("SELECT count(*) FROM outbox") == 0, "the relay takes along what calls leave"


async def test_a_call_that_outlasts_the_grace_is_undone(live: Live, tmp_path: Path, database: str) -> None:
    async with (
        identity(live, tmp_path, PRECEPTOR_DATABASE_URL=database, PRECEPTOR_GRACE="0.3") as process,
        vendors_locked(live, database) as connection,
    ):
        slow = asyncio.ensure_future(create_vendor(live, process.address))
        await eventually(lambda: one_waits(connection))

        os.kill(process.process.pid, signal.SIGTERM)

        with pytest.raises(grpc.aio.AioRpcError):
            await slow
        async with asyncio.timeout(120):
            assert await process.process.wait() == 0
        await eventually(lambda: none_waits(connection))


async def test_a_process_told_to_stop_says_that_it_is_not_ready_before_it_refuses_calls(
    live: Live, tmp_path: Path
) -> None:
    async with identity(live, tmp_path, PRECEPTOR_DRAIN="60") as process:
        os.kill(process.process.pid, signal.SIGTERM)

        await eventually(lambda: not_ready(process.address))
        assert (await create_vendor(live, process.address)).vendor.name
        assert await not_ready(process.address), "and stays so"


async def test_a_killed_process_leaves_no_statement_beyond_its_deadline(
    live: Live, tmp_path: Path, database: str
) -> None:
    async with (
        identity(live, tmp_path, PRECEPTOR_DATABASE_URL=database) as process,
        vendors_locked(live, database) as connection,
    ):
        slow = asyncio.ensure_future(create_vendor(live, process.address, seconds=10.0))
        await eventually(lambda: one_waits(connection))

        await process.process.kill()

        with pytest.raises(grpc.aio.AioRpcError):
            await slow
        await eventually(lambda: none_waits(connection))


async def create_vendor(live: Live, address: str, seconds: float = 20.0) -> vendor_pb2.CreateVendorResponse:
    """Makes a vendor by a process at an address, over a connection of its own."""
    async with grpc.aio.insecure_channel(address) as channel:
        request = vendor_pb2.CreateVendorRequest(display_name="Slow", request_id=str(uuid4()))
        metadata = bearer(live.token(staff("ADMIN")))
        return await vendor_pb2_grpc.VendorServiceStub(channel).CreateVendor(
            request, metadata=metadata, timeout=seconds
        )


async def takes_no_calls(address: str) -> bool:
    """Whether nothing is served at an address any more."""
    async with grpc.aio.insecure_channel(address) as channel:
        anything = channel.unary_unary("/preceptor.identity.v1.SessionService/GetJwks", bytes, bytes)
        try:
            await anything(b"", timeout=1)
        except grpc.aio.AioRpcError as error:
            # One that is only slow still takes them.
            return error.code() is grpc.StatusCode.UNAVAILABLE
    return False


async def not_ready(address: str) -> bool:
    """Whether a process says that no calls should be sent to it."""
    return not await serving(address, READINESS)


async def one_waits(connection: Connection) -> bool:
    """Whether a statement waits for the lock."""
    return bool(await connection.fetchval(_WAITING) == 1)


async def none_waits(connection: Connection) -> bool:
    """Whether no statement waits for the lock."""
    return bool(await connection.fetchval(_WAITING) == 0)


@asynccontextmanager
async def vendors_locked(live: Live, url: str) -> AsyncIterator[Connection]:
    """Holds the table of vendors, so that who writes to it waits; gives the connection that holds it."""
    async with administrator(live, url) as connection, connection.transaction():
        await connection.execute("LOCK TABLE vendor IN ACCESS EXCLUSIVE MODE")
        yield connection
