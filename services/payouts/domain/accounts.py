"""The chart of accounts: which there are, and which may never go below zero."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the ledger, in one currency. A balance is credits less debits, in minor units."""

    code: str
    currency: str
    floor: int | None = field(default=0, compare=False)
    """What the balance may not fall below; nothing for accounts that stand for the world outside."""
    vendor_id: UUID | None = field(default=None, compare=False)
    """Who may see it beside the platform."""


def prefund(vendor_id: UUID, currency: str) -> Account:
    """What a vendor has sent and no batch has reserved."""
    return Account(f"vendor:{vendor_id}:prefund", currency, vendor_id=vendor_id)


def reserve(batch_id: UUID, vendor_id: UUID, currency: str) -> Account:
    """What a batch may still cost."""
    return Account(f"batch:{batch_id}:reserve", currency, vendor_id=vendor_id)


def held(expert_id: UUID, currency: str) -> Account:
    """Earned, not payable yet."""
    return Account(f"expert:{expert_id}:held", currency)


def available(expert_id: UUID, currency: str) -> Account:
    """Payable with the next run."""
    return Account(f"expert:{expert_id}:available", currency)


def in_transit(expert_id: UUID, currency: str) -> Account:
    """Set aside for payouts that are not settled."""
    return Account(f"expert:{expert_id}:in_transit", currency)


def platform_fee(currency: str) -> Account:
    """What the platform has earned."""
    return Account("platform:fee", currency)


def platform_expense(currency: str) -> Account:
    """What the platform pays itself: what no vendor could foresee."""
    return Account("platform:adjustment_expense", currency, floor=None)


def clearing(provider: str, currency: str) -> Account:
    """What a provider has paid out for us and the bank has not shown yet."""
    return Account(f"provider:{provider}:clearing", currency, floor=None)


def bank(currency: str) -> Account:
    """Our own bank account: its balance here is minus what lies there."""
    return Account("bank:operating", currency, floor=None)
