"""Assumes of raters, before their votes in a project count, what their records elsewhere and gold say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from services.scoring.aggregation.configuration import DEFAULT
from services.scoring.domain import skill
from services.scoring.domain.skill import Assumed, Elsewhere

FRESH = Assumed(DEFAULT.right, DEFAULT.wrong)
"""What is assumed of a rater of whom nothing is known."""

# Of each rater at most one row for each way in which projects are related: what they did there, and what the others of
# the same pools would have reached.
_ELSEWHERE = """
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[])
         AS n (project_id, expert_id, task_type, domain))
SELECT n.project_id, n.expert_id, s.task_type = n.task_type AS same_type, s.domain = n.domain AS same_domain,
       sum(r.correct) AS correct, sum(r.total * p.correct / p.total) AS expected, sum(r.total) AS total
FROM wanted n
JOIN pool_rater r ON r.expert_id = n.expert_id AND r.project_id <> n.project_id AND r.total > 0
JOIN pool p ON (p.project_id, p.labels) = (r.project_id, r.labels) AND p.total > 0
JOIN project_state s ON s.project_id = r.project_id
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT n.project_id, n.expert_id, g.task_type = n.task_type, g.domain = n.domain,
       sum(g.correct), sum(g.total) * $5, sum(g.total)
FROM wanted n JOIN gold_record g ON g.expert_id = n.expert_id AND g.total > 0
GROUP BY 1, 2, 3, 4
"""

_FLAGGED = "SELECT DISTINCT expert_id FROM rater_flag WHERE expert_id = ANY($1::uuid[]) AND state <> 2"


class Rating(NamedTuple):
    """A rater in a project, about whom something is to be assumed."""

    project_id: UUID
    expert_id: UUID
    task_type: int
    domain: int


async def assume(tx: Transaction, wanted: Collection[Rating]) -> dict[tuple[UUID, UUID], Assumed]:
    """What is assumed of raters in projects, by project and expert."""
    if not wanted:
        return {}
    rows = await tx.fetch(_ELSEWHERE, *zip(*wanted, strict=True), FRESH.right / (FRESH.right + FRESH.wrong))
    records: defaultdict[tuple[UUID, UUID], list[Elsewhere]] = defaultdict(list)
    for row in rows:
        worth = skill.worth_of(same_type=row["same_type"], same_domain=row["same_domain"])
        record = Elsewhere(worth, row["correct"], row["expected"], row["total"])
        records[row["project_id"], row["expert_id"]].append(record)
    return {rating[:2]: skill.assumed(FRESH, records[rating[:2]]) for rating in wanted}


async def flagged(tx: Transaction, experts: Collection[UUID]) -> set[UUID]:
    """Those of whom a flag stands."""
    return {row["expert_id"] for row in await tx.fetch(_FLAGGED, list(experts))} if experts else set()
