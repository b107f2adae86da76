"""Gives an expert."""

from __future__ import annotations

import json
from uuid import UUID

from asyncpg import Record

from chassis.db import Transaction
from services.identity.domain.expert import Claim, Expert, ExpertUnknown

_FIND = """
SELECT id, person_id, status, claims, locales, payout_eligible, version FROM expert WHERE id = $1
"""


async def get_expert(tx: Transaction, expert_id: UUID) -> Expert:
    """The expert. Raises `ExpertUnknown`."""
    return expert_of(await tx.fetchrow(_FIND, expert_id), expert_id)


def expert_of(row: Record | None, expert_id: UUID) -> Expert:
    """The expert in a row of its table. Raises `ExpertUnknown` if there is none."""
    if row is None:
        raise ExpertUnknown(expert=str(expert_id))
    return Expert(
        id=row["id"],
        person_id=row["person_id"],
        status=row["status"],
        claims=tuple(Claim(kind, value) for kind, value in json.loads(row["claims"])),
        locales=tuple(row["locales"]),
        payout_eligible=row["payout_eligible"],
        version=row["version"],
    )
