"""What tasking's use cases are handed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from chassis.db import Database
from chassis.rpc.paging import Pager
from chassis.settings import ChassisSettings, load
from services.tasking.settings import TaskingSettings


@dataclass(frozen=True, slots=True)
class Context:
    """Settings, and the sealing of page tokens."""

    settings: TaskingSettings
    pager: Pager


@asynccontextmanager
async def make_context(settings: ChassisSettings, _: Database) -> AsyncIterator[Context]:
    """Made once at the start of a process."""
    yield Context(load(TaskingSettings), Pager(settings.page_token_key_file.read_bytes()))
