"""Books what a vendor has sent to our bank, once per line of the bank."""

from __future__ import annotations

from uuid import UUID

from chassis import money
from chassis.db import Transaction
from chassis.errors import FailedPrecondition, NotFound
from chassis.ids import new_id
from chassis.money import InvalidMoney
from services.payouts.domain.deposit import BankReferenceBooked, Deposit, bank_reference, booked
from services.payouts.usecases import post_transfers
from services.payouts.usecases.get_funds import Funds, funds_of

_KNOWN = "SELECT true FROM vendor WHERE vendor_id = $1"

# One of the line that stands, be it in part, stands in the way; of two at the same time the number lets in the first.
_BOOK = """
INSERT INTO deposit (id, bank_reference, reference_key, booking, vendor_id, amount, currency, booked_by)
SELECT $1, $2, $3, coalesce(max(d.booking), 0) + 1, $4, $5, $6, $7 FROM deposit d WHERE d.reference_key = $3
HAVING coalesce(bool_and(d.amount = (
    SELECT sum(r.amount) FROM deposit_reversal r WHERE r.deposit_id = d.id AND r.state = 'APPROVED') IS TRUE), true)
ON CONFLICT DO NOTHING RETURNING booking
"""


class VendorNotKnown(NotFound):
    """There is no such vendor, or it was made a moment ago: try again."""

    reason = "VENDOR_NOT_KNOWN"
    retryable = True


class FundsTooLarge(FailedPrecondition):
    """The vendor would have more money with us than one may: look whether the amount is right."""

    reason = "FUNDS_TOO_LARGE"


async def deposit_funds(
    tx: Transaction, vendor_id: UUID, amount: int, currency: str, reference: str, booked_by: UUID
) -> tuple[Deposit, Funds]:
    """Books a deposit in minor units; gives it, and the vendor's funds after it.

    Raises `VendorNotKnown`, `InvalidBankReference`, `BankReferenceBooked`, `FundsTooLarge`, `BalanceTooLarge`, and
    `InvalidMoney` for an amount that is not above zero.
    """
    if amount <= 0:
        raise InvalidMoney("The amount must be above zero.", field="amount")
    line = bank_reference(reference)
    if not await tx.fetchval(_KNOWN, vendor_id):
        raise VendorNotKnown(field="vendor")
    deposit = Deposit(new_id(), vendor_id, amount, currency, line.text)
    booking = await tx.fetchval(_BOOK, deposit.id, line.text, line.key, vendor_id, amount, currency, booked_by)
    if booking is None:
        raise BankReferenceBooked(field="bank_reference")
    await post_transfers.post(tx, [booked(deposit, line, booking)])
    funds = await funds_of(tx, vendor_id, currency)
    if funds.available + funds.reserved > money.GREATEST_FUNDS:
        raise FundsTooLarge(field="amount", most_minor=str(money.GREATEST_FUNDS), currency=currency)
    return deposit, funds
