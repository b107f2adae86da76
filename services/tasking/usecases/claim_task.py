"""Gives an expert a task.

Order: the lease that the expert holds already; now and then a gold task, where there are any; then tasks that wait for
such a skilled expert, the most skill first; then tasks that others have started (the closest to completion), then by
priority, then as uploaded. The task is locked, its seat counted and the slot made by one statement; tasks that others
are claiming at this moment are passed over, so claimers do not wait for each other.
"""

from __future__ import annotations

from uuid import UUID

import asyncpg

from chassis.db import Transaction
from chassis.errors import FailedPrecondition
from chassis.ids import new_id
from chassis.rpc.call import NotYours
from chassis.telemetry.metrics import CLAIMS
from services.tasking.domain.lease import SlotState
from services.tasking.domain.locale import patterns
from services.tasking.domain.seniority import USUAL
from services.tasking.settings import TaskingSettings
from services.tasking.usecases.claim_gold import Seeker, claim_gold
from services.tasking.usecases.slots import end_slots

# Those who copy from the expert are never on one task with them: `apart` are the experts who must not have seen it.
# Locking the expert's row makes one person's claims take turns, in however many tabs.
_EXPERT = """
SELECT active, claims, locales, EXISTS (SELECT FROM batch WHERE state = 3 AND gold_taken < gold_most) AS gold,
       EXISTS (SELECT FROM expert_skill WHERE expert_id = $1 AND skill > $2::float8) AS senior,
       ARRAY (SELECT DISTINCT other_id FROM kept_apart WHERE expert_id = $1) || expert_id AS apart
FROM expert WHERE expert_id = $1 FOR NO KEY UPDATE
"""

# A statement of its own, so that it sees what the claim before this one has committed; it waits for a running submit.
_HELD = """
SELECT slot_id, expires_at > clock_timestamp() AS runs FROM slot WHERE expert_id = $1 AND state = 1 FOR NO KEY UPDATE
"""

_FIND = """
WITH eligible AS (
    SELECT b.batch_id, b.rate_card_version, b.price_minor, b.currency, b.fee_basis_points, p.tier, p.lease,
           p.task_type, p.domain
    FROM batch b JOIN project p USING (project_id)
    WHERE b.state = 3 AND p.required_claims <@ $2::text[]
      AND p.locale || '-' LIKE ANY ($3::text[])
      AND ($4::uuid IS NULL OR p.project_id = $4)),
usual AS (
    SELECT t.task_id, t.batch_id FROM eligible e, LATERAL (
        SELECT t.task_id, t.batch_id, t.seats_taken, t.priority, t.position FROM task t
        WHERE t.batch_id = e.batch_id AND t.kind = 1 AND t.state = 2
          AND t.seats_taken + t.surplus_taken < t.answers_wanted AND t.skill_wanted = 0
          AND NOT EXISTS (SELECT FROM slot s WHERE s.task_id = t.task_id AND s.expert_id = ANY ($7::uuid[]))
        ORDER BY (t.seats_taken > 0) DESC, t.priority DESC, t.position
        LIMIT 1 FOR UPDATE OF t SKIP LOCKED) AS t
    ORDER BY (t.seats_taken > 0) DESC, t.priority DESC, t.batch_id, t.position LIMIT 1),
"""

_SENIOR = """
senior AS (
    SELECT t.task_id, t.batch_id FROM eligible e
    JOIN expert_skill k ON (k.expert_id, k.task_type, k.domain) = ($1, e.task_type, e.domain), LATERAL (
        SELECT t.task_id, t.batch_id, t.skill_wanted, t.priority, t.position FROM task t
        WHERE t.batch_id = e.batch_id AND t.kind = 1 AND t.state = 2
          AND t.seats_taken + t.surplus_taken < t.answers_wanted
          AND t.skill_wanted > 0 AND t.skill_wanted <= k.skill
          AND NOT EXISTS (SELECT FROM slot s WHERE s.task_id = t.task_id AND s.expert_id = ANY ($7::uuid[]))
        ORDER BY t.skill_wanted DESC, t.priority DESC, t.position
        LIMIT 1 FOR UPDATE OF t SKIP LOCKED) AS t
    ORDER BY t.skill_wanted DESC, t.priority DESC, t.batch_id, t.position LIMIT 1),
candidate AS (
    TABLE senior UNION ALL SELECT * FROM usual WHERE NOT EXISTS (SELECT FROM senior)),
"""

_TAKE = """
seated AS (
    UPDATE task t SET seats_taken = t.seats_taken + 1 FROM candidate c WHERE t.task_id = c.task_id
    RETURNING t.task_id, t.batch_id, t.project_id, t.vendor_id),
made AS (
    INSERT INTO slot (slot_id, task_id, batch_id, project_id, vendor_id, expert_id, swapped, expires_at,
                      rate_card_version, tier, price_minor, currency, fee_basis_points)
    SELECT $5, t.task_id, t.batch_id, t.project_id, t.vendor_id, $1, random() < 0.5,
           clock_timestamp() + least(e.lease, $6::interval),
           e.rate_card_version, e.tier, e.price_minor, e.currency, e.fee_basis_points
    FROM seated t JOIN eligible e USING (batch_id)
    RETURNING *)
SELECT s.*, t.payload, p.instructions, p.expected_seconds
FROM made s JOIN task t USING (task_id) JOIN project p ON p.project_id = s.project_id
"""

# Most experts are no seniors and have the shorter statement. A senior's looks for usual tasks if none waits for it.
_CLAIM = _FIND + "candidate AS (TABLE usual)," + _TAKE
_CLAIM_AS_SENIOR = _FIND + _SENIOR + _TAKE

_LEASE = """
SELECT s.*, t.payload, p.instructions, p.expected_seconds
FROM slot s JOIN task t USING (task_id) JOIN project p ON p.project_id = s.project_id WHERE s.slot_id = $1
"""


_GIVEN, _AGAIN, _NONE = (CLAIMS.labels(outcome) for outcome in ("given", "again", "none"))


class ExpertNotActive(FailedPrecondition):
    """You may not claim tasks: your account is not active, or was made a moment ago and is not known here yet."""

    reason = "EXPERT_NOT_ACTIVE"


async def claim_task(
    tx: Transaction, expert_id: UUID, project_id: UUID | None, settings: TaskingSettings
) -> asyncpg.Record | None:
    """The expert's lease: slot, payload and instructions in one row; nothing if there is no task for them now.

    Raises `ExpertNotActive`.
    """
    expert = await tx.fetchrow(_EXPERT, expert_id, USUAL)
    if expert is None or not expert["active"]:
        raise ExpertNotActive
    slot_id = await _held(tx, expert_id)
    if slot_id is not None:
        tx.on_commit(_AGAIN.inc)
        return await tx.fetchrow(_LEASE, slot_id)
    seeker = Seeker(expert_id, expert["claims"], patterns(expert["locales"]), project_id)
    slot_id = await claim_gold(tx, seeker, settings) if expert["gold"] else None
    if slot_id is not None:
        row = await tx.fetchrow(_LEASE, slot_id)
    else:
        claim = _CLAIM_AS_SENIOR if expert["senior"] else _CLAIM
        row = await tx.fetchrow(claim, *seeker, new_id(), settings.greatest_hold, expert["apart"])
    tx.on_commit(_GIVEN.inc if row else _NONE.inc)
    return row


async def lease_again(tx: Transaction, slot_id: UUID, expert_id: UUID) -> asyncpg.Record:
    """What the expert was given before, as it stands now, whether they still hold it or not. Raises `NotYours`."""
    row = await tx.fetchrow(_LEASE, slot_id)
    if row is None or row["expert_id"] != expert_id:
        raise NotYours
    return row


async def _held(tx: Transaction, expert_id: UUID) -> UUID | None:
    """The slot that the expert holds; one whose lease has run out is ended."""
    held = await tx.fetchrow(_HELD, expert_id)
    if held is None:
        return None
    slot_id: UUID = held["slot_id"]
    if held["runs"]:
        return slot_id
    await end_slots(tx, [slot_id], SlotState.EXPIRED)
    return None
