"""Changes the locales that an expert works in. What the expert holds already is not taken away for it."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from chassis.db import Transaction
from services.identity.domain.expert import Expert
from services.identity.usecases.announce import expert_changed
from services.identity.usecases.get_expert import expert_of

_LOCK = """
SELECT id, person_id, status, claims, locales, payout_eligible, version FROM expert WHERE id = $1 FOR UPDATE
"""

_UPDATE = "UPDATE expert SET locales = $2, version = $3, updated_at = now() WHERE id = $1"


async def set_locales(tx: Transaction, expert_id: UUID, locales: Iterable[str]) -> Expert:
    """The expert with these locales, given canonical; who has them stays as it is. Raises `ExpertUnknown`."""
    before = expert_of(await tx.fetchrow(_LOCK, expert_id), expert_id)
    expert = before.working_in(locales)
    if expert is not before:
        await tx.execute(_UPDATE, expert.id, list(expert.locales), expert.version)
        tx.emit(expert_changed(expert))
    return expert
