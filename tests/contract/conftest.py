"""The running platform that these tests call."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from deploy.local.stack import Backends
from tests.support.edge import Stage, staged
from tests.support.platform import SHARED, Live


@pytest_asyncio.fixture(scope="session")
async def live(backends: Backends, backend_data: Path) -> AsyncIterator[Live]:
    """A platform of real processes, shared by all who ask for it."""
    async with SHARED.use(backends, backend_data / "live") as running:
        yield running


@pytest_asyncio.fixture(scope="session")
async def stage(live: Live, backend_data: Path) -> AsyncIterator[Stage]:
    """The same platform behind its edge, and people who have signed in there."""
    async with staged(live, backend_data / "live") as made:
        yield made
