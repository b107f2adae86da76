"""Alive is not ready: a process whose database is away or behind says so, stays, and comes back by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import grpc
import pytest_asyncio
from preceptor.identity.v1 import vendor_pb2, vendor_pb2_grpc

from clients.health import LIVENESS, READINESS, serving
from tests.support.bus import eventually
from tests.support.calls import bearer, refusal
from tests.support.platform import Live, staff
from tests.support.processes import empty_database, end_of, identity, settings_of, through
from tests.support.proxy import Proxy


@pytest_asyncio.fixture
async def proxy(live: Live) -> AsyncIterator[Proxy]:
    """A way to the database that can be cut."""
    parts = urlsplit(live.platform.database_url("identity"))
    way = Proxy((parts.hostname or "", parts.port or 0))
    await way.open()
    yield way
    await way.cut()


async def test_without_its_database_a_process_is_alive_but_not_ready(live: Live, tmp_path: Path, proxy: Proxy) -> None:
    url = through(live.platform.database_url("identity"), proxy.port)
    async with identity(live, tmp_path, "all", PRECEPTOR_DATABASE_URL=url) as process:
        await proxy.cut()
        await eventually(lambda: not_serving(process.address, READINESS))
        assert await serving(process.address, LIVENESS)
        assert not await serving(process.address, ""), "a probe that names nothing asks for readiness"
        assert not await serving(process.address, "preceptor.identity.v1.VendorService")
        said = await refusal(create_vendor(live, process.address))
        assert (said.code, said.reason) == (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE")

        await proxy.open()
        await eventually(lambda: serving(process.address, READINESS))
        assert await create_vendor(live, process.address)
        assert process.process.returncode is None


async def test_without_its_schema_a_process_is_alive_but_not_ready_until_it_is_migrated(
    live: Live, tmp_path: Path
) -> None:
    async with (
        empty_database(live) as url,
        identity(live, tmp_path, "all", ready=False, PRECEPTOR_DATABASE_URL=url) as process,
    ):
        assert not await serving(process.address, READINESS)

        admin = live.platform.backends.postgres_url
        settings = settings_of(live, PRECEPTOR_DATABASE_URL=url, PRECEPTOR_ADMIN_DATABASE_URL=admin)
        code, _ = await end_of(tmp_path, "migrate", settings)

        assert code == 0
        await eventually(lambda: serving(process.address, READINESS))
        assert process.process.returncode is None


async def not_serving(address: str, name: str) -> bool:
    """Whether a process says that it does not serve under a name."""
    return not await serving(address, name)


async def create_vendor(live: Live, address: str) -> vendor_pb2.CreateVendorResponse:
    """Makes a vendor by a process at an address."""
    async with grpc.aio.insecure_channel(address) as channel:
        request = vendor_pb2.CreateVendorRequest(display_name="Acme", request_id=str(uuid4()))
        metadata = bearer(live.token(staff("ADMIN")))
        return await vendor_pb2_grpc.VendorServiceStub(channel).CreateVendor(request, metadata=metadata, timeout=60)
