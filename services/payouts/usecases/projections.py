"""Keeps what payouts needs to know of vendors and experts, and lifts the holds of those who pass their checks again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from chassis.db import Transaction

_VENDORS = """
INSERT INTO vendor AS v (vendor_id, version, active)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::boolean[]) AS n (vendor_id, version, active) ORDER BY vendor_id
ON CONFLICT (vendor_id) DO UPDATE SET version = excluded.version, active = excluded.active
    WHERE excluded.version > v.version
RETURNING vendor_id, active
"""
_EXPERTS = """
INSERT INTO expert AS e (expert_id, version, person_id, eligible)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::boolean[]) AS n (expert_id, version, person_id, eligible)
ORDER BY expert_id
ON CONFLICT (expert_id) DO UPDATE
    SET version = excluded.version, person_id = excluded.person_id, eligible = excluded.eligible
    WHERE excluded.version > e.version
RETURNING expert_id, eligible
"""

# Each lift first locks the lines, in the order that all who change lines keep.
_LIFT_FOR_VENDORS = """
WITH line AS (
    SELECT id FROM earning WHERE vendor_id = ANY($1::uuid[]) AND state = 'HELD' ORDER BY id FOR UPDATE
)
UPDATE hold h SET released_at = now() FROM line
WHERE h.earning_id = line.id AND h.reason = $2 AND h.released_at IS NULL
RETURNING h.earning_id
"""
_LIFT_FOR_EXPERTS = """
WITH line AS (
    SELECT id FROM earning WHERE expert_id = ANY($1::uuid[]) AND state = 'HELD' ORDER BY id FOR UPDATE
)
UPDATE hold h SET released_at = now() FROM line
WHERE h.earning_id = line.id AND h.reason = $2 AND h.released_at IS NULL
RETURNING h.earning_id
"""
_SHORTEN = """
UPDATE earning e SET hold_until = coalesce(
    (SELECT max(expires_at) FROM hold h WHERE h.earning_id = e.id AND h.released_at IS NULL), e.created_at)
WHERE e.id = ANY($1::uuid[])
"""


@dataclass(frozen=True, slots=True)
class VendorState:
    """A vendor as identity knows it."""

    vendor_id: UUID
    version: int
    active: bool


@dataclass(frozen=True, slots=True)
class ExpertState:
    """An expert as identity knows it; eligible if money may be sent."""

    expert_id: UUID
    version: int
    person_id: UUID | None
    eligible: bool


async def take_vendors(tx: Transaction, states: Iterable[VendorState]) -> None:
    """Applies states that are newer than what is known."""
    newest = {state.vendor_id: state for state in sorted(states, key=lambda state: state.version)}.values()
    rows = await tx.fetch(
        _VENDORS, [s.vendor_id for s in newest], [s.version for s in newest], [s.active for s in newest]
    )
    if active := [row["vendor_id"] for row in rows if row["active"]]:
        await _shorten(tx, _LIFT_FOR_VENDORS, active, "VENDOR_NOT_ACTIVE")


async def take_experts(tx: Transaction, states: Iterable[ExpertState]) -> None:
    """Applies states that are newer than what is known."""
    newest = {state.expert_id: state for state in sorted(states, key=lambda state: state.version)}.values()
    rows = await tx.fetch(
        _EXPERTS,
        [s.expert_id for s in newest],
        [s.version for s in newest],
        [s.person_id for s in newest],
        [s.eligible for s in newest],
    )
    if eligible := [row["expert_id"] for row in rows if row["eligible"]]:
        await _shorten(tx, _LIFT_FOR_EXPERTS, eligible, "NOT_ELIGIBLE")


async def lift_first_payout_holds(tx: Transaction, experts: list[UUID]) -> None:
    """Lifts what was held only until these experts have been paid once."""
    await _shorten(tx, _LIFT_FOR_EXPERTS, experts, "FIRST_PAYOUT_HOLD")


async def _shorten(tx: Transaction, lift: str, ids: list[UUID], reason: str) -> None:
    lifted = await tx.fetch(lift, ids, reason)
    if lifted:
        await tx.execute(_SHORTEN, [row["earning_id"] for row in lifted])
