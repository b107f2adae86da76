"""The running platform that these tests call, and a world of tasking for those of one service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from chassis.db import Database
from deploy.local.stack import Backends
from tests.support.databases import Databases
from tests.support.platform import SHARED, Live
from tests.support.tasking import World, tasking_database, tasking_world


@pytest_asyncio.fixture(scope="session")
async def live(backends: Backends, backend_data: Path) -> AsyncIterator[Live]:
    """A platform of real processes, shared by all who ask for it."""
    async with SHARED.use(backends, backend_data / "live") as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def world_database(databases: Databases) -> AsyncIterator[Database]:
    """A database of tasking for the tests of one file."""
    async with tasking_database(databases) as opened:
        yield opened


@pytest_asyncio.fixture
async def world(world_database: Database) -> World:
    """An empty world with a vendor and a rate card."""
    return await tasking_world(world_database)
