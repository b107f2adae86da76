"""Assumes of raters, before their votes in a project count, what their records elsewhere, gold and their claims say."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.domain import skill
from services.scoring.domain.credentials import Attested, Shown, attested, most_telling
from services.scoring.domain.skill import Assumed, Elsewhere

FRESH = Assumed(DEFAULT.right, DEFAULT.wrong)
"""What is assumed of a rater of whom nothing is known."""

_USUAL = FRESH.right / (FRESH.right + FRESH.wrong)

# Of each rater at most one row for each way in which projects are related: what they did there, and what the others of
# the same pools would have reached. Then one for each claim: what others who hold it have shown, and everybody else.
_KNOWN = """
WITH wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[])
         AS n (project_id, expert_id, task_type, domain))
SELECT n.project_id, n.expert_id, s.task_type = n.task_type AS same_type, s.domain = n.domain AS same_domain,
       sum(r.correct) AS correct, sum(r.total * p.correct / p.total) AS expected, sum(r.total) AS total,
       NULL::text AS claim, NULL::float8[] AS holders, NULL::float8[] AS others
FROM wanted n
JOIN pool_rater r ON r.expert_id = n.expert_id AND r.project_id <> n.project_id AND r.total > 0
JOIN pool p ON (p.project_id, p.labels) = (r.project_id, r.labels) AND p.total > 0
JOIN project_state s ON s.project_id = r.project_id
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT n.project_id, n.expert_id, g.task_type = n.task_type, g.domain = n.domain,
       sum(g.correct), sum(g.total) * $5, sum(g.total), NULL, NULL, NULL
FROM wanted n JOIN gold_record g ON g.expert_id = n.expert_id AND g.total > 0
GROUP BY 1, 2, 3, 4
UNION ALL
SELECT n.project_id, n.expert_id, NULL, NULL, NULL, NULL, NULL, h.claim,
       ARRAY[c.experts - (o.claim IS NOT NULL)::integer, c.weight - coalesce(o.weight, 0),
             c.effect - coalesce(o.effect, 0), c.square - coalesce(o.square, 0)],
       ARRAY[a.experts - c.experts, a.weight - c.weight, a.effect - c.effect, a.square - c.square]
FROM wanted n JOIN expert e USING (expert_id) CROSS JOIN LATERAL unnest(e.claims) AS h (claim)
JOIN claim_record c ON (c.claim, c.task_type, c.domain) = (h.claim, n.task_type, n.domain)
JOIN claim_record a ON (a.claim, a.task_type, a.domain) = ('', n.task_type, n.domain)
LEFT JOIN claim_holder o
    ON (o.expert_id, o.task_type, o.domain, o.claim) = (n.expert_id, n.task_type, n.domain, h.claim)
"""

_FLAGGED = "SELECT DISTINCT expert_id FROM rater_flag WHERE expert_id = ANY($1::uuid[]) AND state <> 2"


class Rating(NamedTuple):
    """A rater in a project, about whom something is to be assumed."""

    project_id: UUID
    expert_id: UUID
    task_type: int
    domain: int


class Known(NamedTuple):
    """What there is to assume from: a rater's own records, and the claim of theirs that says most."""

    records: Sequence[Elsewhere]
    attested: Attested | None


async def assume(tx: Transaction, wanted: Collection[Rating]) -> dict[tuple[UUID, UUID], Assumed]:
    """What is assumed of raters in projects, by project and expert."""
    known = await look_up(tx, wanted)
    return {key: skill.assumed(FRESH, of.records, of.attested and of.attested.record) for key, of in known.items()}


async def look_up(tx: Transaction, wanted: Collection[Rating]) -> dict[tuple[UUID, UUID], Known]:
    """What is known of raters in projects before they vote there, by project and expert."""
    if not wanted:
        return {}
    records: defaultdict[tuple[UUID, UUID], list[Elsewhere]] = defaultdict(list)
    claims: defaultdict[tuple[UUID, UUID], list[Attested]] = defaultdict(list)
    for row in await tx.fetch(_KNOWN, *zip(*wanted, strict=True), _USUAL):
        key = row["project_id"], row["expert_id"]
        if row["claim"] is None:
            worth = skill.worth_of(same_type=row["same_type"], same_domain=row["same_domain"])
            records[key].append(Elsewhere(worth, row["correct"], row["expected"], row["total"]))
        else:
            claims[key].append(attested(row["claim"], Shown(*row["holders"]), Shown(*row["others"]), _USUAL))
    return {rating[:2]: Known(records[rating[:2]], most_telling(claims[rating[:2]])) for rating in wanted}


async def flagged(tx: Transaction, experts: Collection[UUID]) -> set[UUID]:
    """Those of whom a flag stands."""
    return {row["expert_id"] for row in await tx.fetch(_FLAGGED, list(experts))} if experts else set()
