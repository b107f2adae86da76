"""What scoring's use cases are handed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.db import Database
from chassis.settings import ChassisSettings, load
from services.scoring.aggregation.pool import warm_up
from services.scoring.settings import ScoringSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The settings."""

    settings: ScoringSettings


@asynccontextmanager
async def make_context(_: ChassisSettings, __: Database) -> AsyncIterator[Context]:
    """Made once at the start of a process, which is ready when the kernels are compiled or loaded."""
    settings = load(ScoringSettings)
    await asyncio.to_thread(warm_up)
    yield Context(settings)
