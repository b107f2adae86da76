"""What a payment provider is asked and what it can answer, whichever one it is."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from uuid import UUID

from services.payouts.domain.spelling import told_reference

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_REFERENCE_LENGTH = 15

# Nothing is sent to such an instrument again: its owner has to change it.
_INSTRUMENT_CODES = frozenset(
    {
        "account_closed",
        "account_frozen",
        "bank_account_restricted",
        "bank_ownership_changed",
        "incorrect_account_holder_name",
        "invalid_account_number",
        "invalid_currency",
        "invalid_destination",
        "no_account",
        "unsupported_card",
    }
)
# Refusals of the order itself. Others, such as for a wrong token, say nothing about an earlier try of the same key, and
# pass when somebody has mended them.
_DEFINITE = frozenset({400, 402, 422})


@dataclass(frozen=True, slots=True)
class RailFacts:
    """What a rail declares about its provider: how far its promises go."""

    name: str
    key_ttl: timedelta
    """How long a repeat of an idempotency key moves nothing again."""
    lookup_by_reference: bool
    """Whether it can be asked for a transfer by our reference."""
    clock_skew: timedelta
    """The most that its clock differs from ours."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a provider: an amount in minor units to a destination, under a key and our reference."""

    idem_key: UUID
    reference: str
    amount: int
    currency: str
    destination: str

    def body_hash(self) -> bytes:
        """The fingerprint of what is sent: it must be the same each time the key is used."""
        parts = [self.reference, self.amount, self.currency, self.destination]
        return hashlib.sha256(json.dumps(parts).encode()).digest()


class TransferState(Enum):
    """How far a provider is with a transfer it has taken."""

    PROCESSING = "processing"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """The provider has the transfer."""

    provider_id: str
    state: TransferState
    failure_code: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The provider has definitely moved nothing and will not under this key."""

    code: str


@dataclass(frozen=True, slots=True)
class NeverTaken:
    """The provider's closed statements show that the order never reached it."""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Nobody can say yet whether money moved."""

    why: str


Outcome = Taken | Refused | NeverTaken | Unclear


def classify(status: int, body: object) -> Outcome:
    """What a provider's reply to an order means; `body` is the parsed JSON, or anything for what was none.

    Only a refusal in the provider's own words is definite: a gateway in between also says 4xx.
    """
    if status in (200, 201) and isinstance(body, Mapping):
        return read_transfer(body)
    if status in _DEFINITE and (code := _error_code(body)):
        return Refused(code)
    return Unclear(f"status {status} {_error_code(body)}".rstrip())


def read_transfer(body: Mapping[str, object]) -> Outcome:
    """A transfer as the provider tells it. A returned one has failed, if we hear of it before it was paid."""
    provider_id, code = body.get("id"), body.get("failure_code")
    state = {"returned": "failed"}.get(str(body.get("state")), body.get("state"))
    if not isinstance(provider_id, str) or state not in {known.value for known in TransferState}:
        return Unclear("malformed transfer")
    return Taken(provider_id, TransferState(state), code if isinstance(code, str) else None)


def is_of(order: Order, body: Mapping[str, object]) -> bool:
    """Whether a transfer that the provider tells of is the one ordered."""
    told = (told_reference(str(body.get("reference"))), body.get("amount_minor"), body.get("currency"))
    return told == (order.reference, order.amount, order.currency)


def blames_instrument(code: str) -> bool:
    """Whether a failure lies with where the money was sent."""
    return code in _INSTRUMENT_CODES


def new_reference() -> str:
    """A fresh reference that fits every bank's field: 15 characters of A-Z and 2-7, 75 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_REFERENCE_LENGTH))


def _error_code(body: object) -> str:
    error = body.get("error") if isinstance(body, Mapping) else None
    code = error.get("code") if isinstance(error, Mapping) else None
    return code if isinstance(code, str) else ""
