"""Suspends an expert and lets a suspended one work again. Money that was earned is not touched by either."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from services.identity.context import Context
from services.identity.domain.expert import Expert
from services.identity.usecases.announce import expert_changed
from services.identity.usecases.get_expert import expert_of
from services.identity.usecases.revoke import revoke_sessions, tell_account

# The account is locked first: a sign-in that runs looks at it once more before it opens its session.
_LOCK_ACCOUNT = """
SELECT a.id FROM account a JOIN expert e ON e.account_id = a.id WHERE e.id = $1 FOR UPDATE OF a
"""

_LOCK = """
SELECT id, person_id, status, claims, locales, payout_eligible, version FROM expert WHERE id = $1 FOR UPDATE
"""

_CHANGE = """
WITH expert AS (UPDATE expert SET status = $2, version = $3, updated_at = now() WHERE id = $1),
     account AS (UPDATE account SET status = $2 WHERE id = $4)
INSERT INTO account_status_change (account_id, status, reason, changed_by) VALUES ($4, $2, $5, $6)
"""


async def suspend_expert(tx: Transaction, context: Context, expert_id: UUID, reason: str, by: UUID) -> Expert:
    """The suspended expert; one that is suspended already stays as it is. Raises `ExpertUnknown`."""
    return await _change(tx, context, expert_id, "SUSPENDED", reason, by)


async def reinstate_expert(tx: Transaction, context: Context, expert_id: UUID, reason: str, by: UUID) -> Expert:
    """The active expert; one that is active already stays as it is. Raises `ExpertUnknown`."""
    return await _change(tx, context, expert_id, "ACTIVE", reason, by)


async def _change(tx: Transaction, context: Context, expert_id: UUID, status: str, reason: str, by: UUID) -> Expert:
    account_id = await tx.fetchval(_LOCK_ACCOUNT, expert_id)
    before = expert_of(await tx.fetchrow(_LOCK, expert_id), expert_id)
    if before.status == status:
        return before
    expert = before.changed_to(status)
    await tx.execute(_CHANGE, expert_id, status, expert.version, account_id, reason, by)
    tell_account(tx, context, account_id, expert.version, lifted=status == "ACTIVE")
    if status != "ACTIVE":
        await revoke_sessions(tx, context, account_id, "ACCOUNT_SUSPENDED")
    tx.emit(expert_changed(expert))
    return expert
