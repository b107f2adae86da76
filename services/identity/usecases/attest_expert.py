"""Attests what has been verified about an expert, instead of what was attested before."""

from __future__ import annotations

import json
from collections.abc import Iterable
from uuid import UUID

from chassis.db import Transaction
from services.identity.domain.expert import Claim, Expert
from services.identity.usecases.announce import expert_changed
from services.identity.usecases.get_expert import expert_of

_LOCK = """
SELECT id, person_id, status, claims, locales, payout_eligible, version FROM expert WHERE id = $1 FOR UPDATE
"""

_UPDATE = """
UPDATE expert SET claims = $2, payout_eligible = $3, version = $4, updated_at = now() WHERE id = $1
"""


async def attest_expert(
    tx: Transaction, expert_id: UUID, claims: Iterable[Claim], payout_eligible: bool, reviewer_person: UUID
) -> Expert:
    """The expert as attested. Raises `ExpertUnknown`, and `SelfAttestation` if the reviewer is the same person."""
    before = expert_of(await tx.fetchrow(_LOCK, expert_id), expert_id)
    expert = before.attested(claims, payout_eligible, reviewer_person)
    await tx.execute(_UPDATE, expert.id, json.dumps(expert.claims), expert.payout_eligible, expert.version)
    tx.emit(expert_changed(expert))
    return expert
