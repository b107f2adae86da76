"""Reverses deposits booked by mistake: one person proposes it, another approves it, a transfer moves the money back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis.db import Row, Transaction
from chassis.errors import NotFound
from chassis.ids import new_id
from services.payouts.domain import accounts
from services.payouts.domain import deposit as rules
from services.payouts.domain.deposit import Deposit, Reversal, ReversalProposed
from services.payouts.usecases import post_transfers
from services.payouts.usecases.list_deposits import DEPOSIT

_DEPOSIT = DEPOSIT + "WHERE d.id = $1"
_EXPIRE = """
UPDATE deposit_reversal SET state = 'EXPIRED', decided_at = expires_at
WHERE deposit_id = $1 AND state = 'PROPOSED' AND expires_at <= now()
"""
_PROPOSE = """
INSERT INTO deposit_reversal (id, deposit_id, vendor_id, amount, reason, proposed_by, proposer, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, now() + $8::interval)
ON CONFLICT DO NOTHING RETURNING true
"""
_LOCK = """
SELECT id, deposit_id, amount, proposer, state, expires_at, now() AS now FROM deposit_reversal WHERE id = $1 FOR UPDATE
"""
_DECIDE = """
UPDATE deposit_reversal SET state = $2, decided_by = $3, decider = $4, decided_at = now() WHERE id = $1
"""


class DepositNotFound(NotFound):
    """There is no such deposit."""

    reason = "DEPOSIT_NOT_FOUND"


class ReversalNotFound(NotFound):
    """There is no such reversal."""

    reason = "REVERSAL_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class Person:
    """Who acts: the account, and the person behind it."""

    account: UUID
    id: UUID


async def propose(
    tx: Transaction, deposit_id: UUID, wanted: tuple[int, str] | None, reason: str, by: Person, life: timedelta
) -> UUID:
    """Proposes to reverse a deposit, or so much of it (minor units, currency); gives the proposal's id.

    Raises `DepositNotFound`, `InvalidReversal`, `ReversalProposed`.
    """
    deposit = await _deposit(tx, deposit_id)
    amount, currency = wanted or (deposit.amount - deposit.reversed, deposit.currency)
    rules.check_proposal(deposit, amount, currency)
    await tx.execute(_EXPIRE, deposit_id)
    made = new_id(), deposit_id, deposit.vendor_id, amount, reason, by.account, by.id, life
    if not await tx.fetchval(_PROPOSE, *made):
        raise ReversalProposed(field="deposit")
    return made[0]


async def approve(tx: Transaction, reversal_id: UUID, by: Person) -> None:
    """Moves the money back.

    Raises `ReversalNotFound`, `ReversalEnded`, `SecondPersonNeeded`, `DepositInUse`, `InvalidReversal`.
    """
    reversal = await _open(tx, reversal_id)
    deposit = reversal.deposit
    # Under the lane's lock nobody else spends from the prefund.
    await post_transfers.lock_lanes(tx, [deposit.currency])
    prefund = accounts.prefund(deposit.vendor_id, deposit.currency)
    free = (await post_transfers.balances(tx, [prefund]))[prefund]
    rules.check_proposal(deposit, reversal.amount, deposit.currency)
    rules.check_approval(reversal, by.id, free)
    await post_transfers.post(tx, [rules.reversed_(reversal)])
    await tx.execute(_DECIDE, reversal_id, "APPROVED", by.account, by.id)


async def reject(tx: Transaction, reversal_id: UUID, by: Person) -> None:
    """Ends a proposal, also by who made it; the deposit stays. Raises `ReversalNotFound`, `ReversalEnded`."""
    await _open(tx, reversal_id)
    await tx.execute(_DECIDE, reversal_id, "REJECTED", by.account, by.id)


async def _open(tx: Transaction, reversal_id: UUID) -> Reversal:
    """A proposal that may still be decided, locked."""
    row = await tx.fetchrow(_LOCK, reversal_id)
    if row is None:
        raise ReversalNotFound(field="name")
    deposit = await _deposit(tx, row["deposit_id"])
    reversal = _reversal(row, deposit)
    rules.check_open(reversal, row["now"])
    return reversal


def _reversal(row: Row, deposit: Deposit) -> Reversal:
    return Reversal(row["id"], deposit, row["amount"], row["proposer"], row["state"], row["expires_at"])


async def _deposit(tx: Transaction, deposit_id: UUID) -> Deposit:
    row = await tx.fetchrow(_DEPOSIT, deposit_id)
    if row is None:
        raise DepositNotFound(field="deposit")
    what = row["vendor_id"], row["amount"], row["currency"], row["bank_reference"]
    return Deposit(row["id"], *what, reversed=row["reversed"])
