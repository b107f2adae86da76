"""A running platform that tests call: four services with all their parts, and whoever calls them with real tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import grpc

from chassis.bus.outbox import EventWriter
from chassis.contract.access import OPERATIONS, MethodPolicy, policies
from chassis.contract.descriptors import owner_of
from chassis.contract.events import catalogue
from chassis.db import Database
from chassis.ids import new_id
from chassis.rpc.call import Caller
from chassis.rpc.signing import SigningKey, TokenSigner, read_private_keys
from deploy.local.platform import Platform, start_platform
from deploy.local.services import SERVICES
from deploy.local.stack import Backends
from tests.support.databases import share_passwords
from tests.support.main_job import CHEAP_HASHES

ISSUER = "preceptor"


@dataclass(frozen=True)
class Live:
    """The platform with an open channel to each service."""

    platform: Platform
    signer: TokenSigner
    key: SigningKey
    channels: dict[str, grpc.aio.Channel]

    def token(self, caller: Caller) -> str:
        """An access token as identity would issue it."""
        return self.signer.access_token(caller)[0]

    def method(self, path: str) -> tuple[grpc.aio.Channel, MethodPolicy]:
        """Where a method is served, and its policy; for a path like "/preceptor.tasking.v1.WorkService/ClaimTask"."""
        service = owner_of(path.strip("/"))
        # Each service serves the operations: one answers for all.
        return self.channels["tasking" if service == OPERATIONS else service], policies(service)[path]

    @asynccontextmanager
    async def database(self, service: str) -> AsyncIterator[Database]:
        """A service's database, as its application role."""
        url = self.platform.database_url(service)
        database = await Database.connect(url, events=EventWriter(service, catalogue()), application_name="test")
        try:
            yield database
        finally:
            await database.close()

    @asynccontextmanager
    async def administrator(self, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection to a service's database as the administrator."""
        name = self.platform.database_name(service)
        connection = await asyncpg.connect(self.platform.backends.postgres_url, database=name)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def live_platform(
    backends: Backends, home: Path, prefix: str, settings: Mapping[str, Mapping[str, str]] | None = None
) -> AsyncIterator[Live]:
    """Starts a platform of its own on the backends, with settings by service; it ends with the body."""
    policy = {**(settings or {}), "identity": CHEAP_HASHES}
    share_passwords(home)
    async with start_platform(backends, home, policy, prefix=prefix, partitions=1) as platform:
        keys = Path(platform.settings["identity"]["IDENTITY_SIGNING_KEYS_FILE"])
        channels = {service: grpc.aio.insecure_channel(platform.address(service)) for service in SERVICES}
        yield Live(platform, TokenSigner(keys, ISSUER, timedelta(minutes=5)), read_private_keys(keys)[0], channels)
        for channel in channels.values():
            await channel.close()


@dataclass
class Shared:
    """One platform for the tests of several folders: the first one starts it, the last one stops it."""

    users: int = 0
    live: Live | None = None
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    @asynccontextmanager
    async def use(self, backends: Backends, home: Path) -> AsyncIterator[Live]:
        """The platform, running while anybody uses it."""
        if self.live is None:
            self.live = await self.stack.enter_async_context(live_platform(backends, home, f"live{uuid4().hex[:8]}."))
        self.users += 1
        try:
            yield self.live
        finally:
            self.users -= 1
            if self.users == 0:
                self.live = None
                await self.stack.aclose()


SHARED = Shared()


def expert(expert_id: UUID | None = None) -> Caller:
    """An expert, a new one unless an id is given."""
    return Caller(new_id(), "expert", frozenset({"EXPERT"}), new_id(), new_id(), expert_id=expert_id or new_id())


def vendor(vendor_id: UUID | None = None) -> Caller:
    """A vendor, a new one unless an id is given."""
    id_ = vendor_id or new_id()
    return Caller(id_, "vendor", frozenset({"VENDOR"}), id_, new_id(), vendor_id=id_)


def staff(*roles: str) -> Caller:
    """A new member of staff."""
    return Caller(new_id(), "staff", frozenset(roles), new_id(), new_id())
