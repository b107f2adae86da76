"""Counts experts among the holders of their claims, by what their records have come to show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from services.scoring.domain.credentials import Shown

# What an expert counts is kept beside the sums, so that it can be left out of them; counted anew, they move by the
# difference.
_COUNT = """
WITH record AS (
    SELECT n.*, CASE WHEN n.weight > 0 THEN ARRAY[''] || coalesce(e.claims, '{}') ELSE '{}' END AS claims
    FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::float8[], $5::float8[], $6::float8[])
         AS n (expert_id, task_type, domain, weight, effect, square)
    LEFT JOIN expert e USING (expert_id)),
gone AS (
    DELETE FROM claim_holder h USING record r
    WHERE (h.expert_id, h.task_type, h.domain) = (r.expert_id, r.task_type, r.domain) AND h.claim <> ALL (r.claims)
    RETURNING h.claim, h.task_type, h.domain, -1 AS experts, -h.weight AS weight, -h.effect AS effect,
              -h.square AS square),
kept AS (
    INSERT INTO claim_holder AS h (expert_id, task_type, domain, claim, weight, effect, square)
    SELECT r.expert_id, r.task_type, r.domain, c.claim, r.weight, r.effect, r.square
    FROM record r CROSS JOIN LATERAL unnest(r.claims) AS c (claim)
    ON CONFLICT (expert_id, task_type, domain, claim)
    DO UPDATE SET weight = excluded.weight, effect = excluded.effect, square = excluded.square
    WHERE (h.weight, h.effect, h.square) <> (excluded.weight, excluded.effect, excluded.square)
    RETURNING claim, task_type, domain, (old.claim IS NULL)::integer AS experts,
              new.weight - coalesce(old.weight, 0) AS weight, new.effect - coalesce(old.effect, 0) AS effect,
              new.square - coalesce(old.square, 0) AS square)
INSERT INTO claim_record AS c (claim, task_type, domain, experts, weight, effect, square)
SELECT claim, task_type, domain, sum(experts), sum(weight), sum(effect), sum(square)
FROM (TABLE gone UNION ALL TABLE kept) AS moved
GROUP BY claim, task_type, domain
ON CONFLICT (claim, task_type, domain)
DO UPDATE SET experts = c.experts + excluded.experts, weight = c.weight + excluded.weight,
              effect = c.effect + excluded.effect, square = c.square + excluded.square
"""


class Counted(NamedTuple):
    """What an expert has shown in a task type and domain."""

    expert_id: UUID
    task_type: int
    domain: int
    shown: Shown


async def count_claims(tx: Transaction, counted: Iterable[Counted]) -> None:
    """Counts experts anew, each with all that they are known for; one at a time may do so."""
    rows = [(*one[:3], one.shown.weight, one.shown.effect, one.shown.square) for one in counted]
    if rows:
        await tx.execute(_COUNT, *zip(*rows, strict=True))
