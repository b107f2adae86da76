"""Money that vendors have sent: what names it, and how one that was booked by mistake is reversed.

A deposit is never changed. A person proposes to reverse it, or a part of it, with a reason; another person approves
that before it expires; then a transfer moves the money back. Once all of it is reversed, its line of the bank may be
booked anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chassis.errors import AlreadyExists, FailedPrecondition, InvalidArgument, PermissionDenied
from services.payouts.domain import accounts, spelling
from services.payouts.domain.ledger import Transfer

_LONGEST_KEY = 64


class InvalidBankReference(InvalidArgument):
    """The bank reference holds nothing to see, or more than 64 characters: copy it as the bank tells it."""

    reason = "INVALID_BANK_REFERENCE"


class BankReferenceBooked(AlreadyExists):
    """A deposit with this bank reference is booked already: if that was a mistake, reverse it first."""

    reason = "BANK_REFERENCE_BOOKED"


class InvalidReversal(InvalidArgument):
    """More would be reversed than is left of the deposit, or another currency, or nothing."""

    reason = "INVALID_REVERSAL"


class ReversalProposed(AlreadyExists):
    """A reversal of this deposit waits for approval: have it approved or rejected first."""

    reason = "REVERSAL_PROPOSED"


class ReversalEnded(FailedPrecondition):
    """The reversal was approved or rejected before, or nobody approved it in time: propose it anew."""

    reason = "REVERSAL_ENDED"


class SecondPersonNeeded(PermissionDenied):
    """A reversal is approved by another person than the one who proposed it."""

    reason = "SECOND_PERSON_NEEDED"


class DepositInUse(FailedPrecondition):
    """The vendor's free money is less: the rest is reserved for batches, or spent. Reverse what is free now, and more
    when batches have given back what they did not need. What is spent the vendor owes, and has to send again.
    """

    reason = "DEPOSIT_IN_USE"


@dataclass(frozen=True, slots=True)
class Reference:
    """A line of the bank: as it was typed, and the key by which it is the same line however it is typed."""

    text: str
    key: str


@dataclass(frozen=True, slots=True)
class Deposit:
    """What a vendor has sent, in minor units, and what of it was reversed."""

    id: UUID
    vendor_id: UUID
    amount: int
    currency: str
    reference: str
    reversed: int = 0


@dataclass(frozen=True, slots=True)
class Reversal:
    """A proposal to give a deposit back, in minor units. `person` is the human behind the account that proposed it."""

    id: UUID
    deposit: Deposit
    amount: int
    person: UUID
    state: str
    expires_at: datetime


def bank_reference(text: str) -> Reference:
    """The reference that a person has typed or copied. Raises `InvalidBankReference`.

    Banks print one line with and without spaces, in capitals or not, and copying adds marks that nobody sees.
    """
    key = spelling.line_key(text)
    if not 0 < len(key) <= _LONGEST_KEY:
        raise InvalidBankReference(field="bank_reference")
    return Reference(spelling.visible(text), key)


def booked(deposit: Deposit, reference: Reference, booking: int) -> Transfer:
    """The transfer of a deposit; `booking` counts how often the line was booked, the ones before being reversed."""
    bank, prefund = accounts.bank(deposit.currency), accounts.prefund(deposit.vendor_id, deposit.currency)
    key = f"deposit:{reference.key}" if booking == 1 else f"deposit-{booking}:{reference.key}"
    cause = {"deposit": str(deposit.id), "bank_reference": reference.text}
    return Transfer(key, bank, prefund, deposit.amount, "deposit", cause)


def check_proposal(deposit: Deposit, amount: int, currency: str) -> None:
    """Raises `InvalidReversal` unless so much is left of the deposit."""
    left = deposit.amount - deposit.reversed
    if currency != deposit.currency or not 0 < amount <= left:
        raise InvalidReversal(field="amount", left_minor=str(left), currency=deposit.currency)


def check_open(reversal: Reversal, now: datetime) -> None:
    """Raises `ReversalEnded` unless it may still be decided."""
    if reversal.state != "PROPOSED" or reversal.expires_at <= now:
        raise ReversalEnded(state=reversal.state, expired_at=reversal.expires_at.isoformat(timespec="seconds"))


def check_approval(reversal: Reversal, person: UUID, free: int) -> None:
    """Raises `SecondPersonNeeded` for who proposed it, or `DepositInUse` if the vendor's free money is less."""
    if person == reversal.person:
        raise SecondPersonNeeded
    if free < reversal.amount:
        missing = reversal.amount - free
        raise DepositInUse(free_minor=str(free), missing_minor=str(missing), currency=reversal.deposit.currency)


def reversed_(reversal: Reversal) -> Transfer:
    """The transfer that compensates."""
    deposit = reversal.deposit
    bank, prefund = accounts.bank(deposit.currency), accounts.prefund(deposit.vendor_id, deposit.currency)
    cause = {"deposit": str(deposit.id), "bank_reference": deposit.reference, "reversal": str(reversal.id)}
    return Transfer(f"deposit_reversal:{reversal.id}", prefund, bank, reversal.amount, "deposit_reversal", cause)
