"""Reads how good an expert is known to be, as it was told last."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from chassis.db import Row, Transaction

_SKILLS = """
SELECT task_type, domain, mean, lower, upper, evidence, gold_correct::bigint, gold_total::bigint, alarm
FROM skill WHERE expert_id = $1 ORDER BY task_type, domain
"""


async def get_skills(tx: Transaction, expert_id: UUID) -> Sequence[Row]:
    """The expert's skills, by task type and domain; the columns have the names of the contract's fields."""
    return await tx.fetch(_SKILLS, expert_id)
