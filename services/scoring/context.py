"""What scoring's use cases are handed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.db import Database
from chassis.rpc.paging import Pager
from chassis.settings import ChassisSettings, load
from services.scoring.aggregation.tasks.items import warm_up
from services.scoring.aggregation.types.pairwise_preference import AGGREGATOR
from services.scoring.settings import ScoringSettings


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, and what makes page tokens."""

    settings: ScoringSettings
    pager: Pager


@asynccontextmanager
async def make_context(chassis: ChassisSettings, _: Database) -> AsyncIterator[Context]:
    """Made once at the start of a process, which is ready when the kernels are compiled or loaded."""
    settings = load(ScoringSettings)
    await asyncio.to_thread(warm_up, AGGREGATOR)
    yield Context(settings, Pager(chassis.page_token_key_file.read_bytes()))
