"""Books what a vendor has sent to our bank, once per line of the bank."""

from __future__ import annotations

from uuid import UUID

from chassis import money
from chassis.db import Transaction
from chassis.errors import AlreadyExists, FailedPrecondition, NotFound
from chassis.money import InvalidMoney
from services.payouts.domain import accounts
from services.payouts.domain.ledger import Transfer
from services.payouts.usecases import post_transfers
from services.payouts.usecases.get_funds import Funds, funds_of

_KNOWN = "SELECT true FROM vendor WHERE vendor_id = $1"
_BOOK = """
INSERT INTO deposit (bank_reference, vendor_id, amount, currency, booked_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT DO NOTHING RETURNING true
"""


class VendorNotKnown(NotFound):
    """There is no such vendor, or it was made a moment ago: try again."""

    reason = "VENDOR_NOT_KNOWN"
    retryable = True


class FundsTooLarge(FailedPrecondition):
    """The vendor would have more money with us than one may: look whether the amount is right."""

    reason = "FUNDS_TOO_LARGE"


class BankReferenceBooked(AlreadyExists):
    """A deposit with this bank reference is booked already."""

    reason = "BANK_REFERENCE_BOOKED"


async def deposit_funds(
    tx: Transaction, vendor_id: UUID, amount: int, currency: str, bank_reference: str, booked_by: UUID
) -> Funds:
    """Books a deposit in minor units; gives the vendor's funds after it.

    Raises `VendorNotKnown`, `BankReferenceBooked`, `FundsTooLarge`, `BalanceTooLarge`, and `InvalidMoney` for an amount
    that is not above zero.
    """
    if amount <= 0:
        raise InvalidMoney("The amount must be above zero.", field="amount")
    if not await tx.fetchval(_KNOWN, vendor_id):
        raise VendorNotKnown(field="vendor")
    if not await tx.fetchval(_BOOK, bank_reference, vendor_id, amount, currency, booked_by):
        raise BankReferenceBooked(field="bank_reference")
    await post_transfers.post(tx, [_transfer(vendor_id, amount, currency, bank_reference)])
    funds = await funds_of(tx, vendor_id, currency)
    if funds.available + funds.reserved > money.GREATEST_FUNDS:
        raise FundsTooLarge(field="amount", most_minor=str(money.GREATEST_FUNDS), currency=currency)
    return funds


def _transfer(vendor_id: UUID, amount: int, currency: str, bank_reference: str) -> Transfer:
    bank, prefund = accounts.bank(currency), accounts.prefund(vendor_id, currency)
    return Transfer(f"deposit:{bank_reference}", bank, prefund, amount, "deposit", {"bank_reference": bank_reference})
