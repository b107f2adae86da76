"""Gives an expert a gold task now and then: an item whose right answer is known becomes a task of its own for them.

How often is a matter of chance, so that nobody can count off which task is gold: the more often, the less is known of
the expert's skill in such work (`domain/gold.py`). Each item goes to an expert once, and only while there is other work
of its batch for them: gold without work would cost the vendor and stand out. What the batch has reserved for gold
bounds it.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from chassis.ids import new_id
from services.tasking.settings import TaskingSettings

# A batch that another transaction is changing is passed over: then this claim gives work. The order of items is another
# one for each expert. The id of the gold task has its item's time in front (UUIDv7), or it would tell by being younger
# than all work of the batch.
_CLAIM = """
WITH draw AS MATERIALIZED (SELECT random() AS drawn),
item AS (
    SELECT (left(t.task_id::text, 13) || substr($9, 14))::uuid AS gold_id, t.task_id, t.batch_id, t.project_id,
           t.vendor_id, t.position, t.payload, t.payload_hash, t.gold_key,
           b.rate_card_version, b.price_minor, b.currency, b.fee_basis_points, p.tier, p.lease
    FROM draw, batch b JOIN project p USING (project_id) JOIN task t USING (batch_id)
    LEFT JOIN expert_skill k ON (k.expert_id, k.task_type, k.domain) = ($1, p.task_type, p.domain)
    WHERE draw.drawn < $8::float8 + ($7::float8 - $8::float8) * coalesce(k.doubt, 1)
      AND b.state = 3 AND b.gold_taken < b.gold_most AND t.kind = 2
      AND p.required_claims <@ $2::text[]
      AND p.locale || '-' LIKE ANY ($3::text[])
      AND ($4::uuid IS NULL OR p.project_id = $4)
      AND NOT EXISTS (SELECT FROM task g WHERE g.item_id = t.task_id AND g.expert_id = $1)
      AND EXISTS (SELECT FROM task w WHERE w.batch_id = b.batch_id AND w.kind = 1 AND w.state = 2
                  AND w.seats_taken + w.surplus_taken < w.answers_wanted AND w.skill_wanted = 0
                  AND NOT EXISTS (SELECT FROM slot s WHERE s.task_id = w.task_id AND s.expert_id = $1))
    ORDER BY hashtextextended(t.task_id::text || $1::text, 0)
    LIMIT 1 FOR UPDATE OF b SKIP LOCKED),
counted AS (
    UPDATE batch b SET gold_taken = b.gold_taken + 1 FROM item i WHERE b.batch_id = i.batch_id),
made AS (
    INSERT INTO task (task_id, batch_id, project_id, vendor_id, position, item_key, payload, payload_hash, kind,
                      gold_key, item_id, expert_id, answers_wanted, seats_taken)
    SELECT i.gold_id, i.batch_id, i.project_id, i.vendor_id, i.position, 'gold/' || i.gold_id, i.payload,
           i.payload_hash, 3, i.gold_key, i.task_id, $1, 1, 1
    FROM item i)
INSERT INTO slot (slot_id, task_id, batch_id, project_id, vendor_id, expert_id, swapped, expires_at,
                  rate_card_version, tier, price_minor, currency, fee_basis_points)
SELECT $5, i.gold_id, i.batch_id, i.project_id, i.vendor_id, $1, random() < 0.5,
       clock_timestamp() + least(i.lease, $6::interval),
       i.rate_card_version, i.tier, i.price_minor, i.currency, i.fee_basis_points
FROM item i
RETURNING slot_id
"""


class Seeker(NamedTuple):
    """An expert who claims, with what decides on what they may do."""

    expert_id: UUID
    claims: list[str]
    locales: list[str]
    """Patterns, of which a project's locale must match one (`domain/locale.py`)."""
    project_id: UUID | None
    """The only project that is asked for, if any."""


async def claim_gold(tx: Transaction, seeker: Seeker, settings: TaskingSettings) -> UUID | None:
    """The slot of a gold task, if one is due. The caller has locked the expert."""
    slot_id: UUID | None = await tx.fetchval(
        _CLAIM,
        *seeker,
        new_id(),
        settings.greatest_hold,
        settings.gold_share_new,
        settings.gold_share,
        str(new_id()),
    )
    return slot_id
