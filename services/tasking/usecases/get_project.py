"""Gives a project."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.rpc.call import NotYours

_SELECT = "SELECT * FROM project WHERE project_id = $1"


async def get_project(tx: Transaction, project_id: UUID) -> asyncpg.Record:
    """The project's row. Raises `NotYours` if there is none that the caller may see."""
    row = await tx.fetchrow(_SELECT, project_id)
    if row is None:
        raise NotYours
    return row
