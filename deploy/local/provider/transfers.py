"""A transfer as the provider knows it: its life is decided when it is made, its state follows from the clock."""

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from deploy.local.provider.faults import Outcome

Json = dict[str, object]
_REFERENCE = re.compile(r"[A-Z2-7]{1,15}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_LONGEST_DESTINATION = 200
_LARGEST_AMOUNT = 2**53
_FAILURE = {
    Outcome.FAILED: "account_closed",
    Outcome.RETURNED: "no_account",
    Outcome.PAID_THEN_FAILED: "could_not_process",
}


@dataclass(frozen=True, slots=True)
class Order:
    """What a caller asks for."""

    reference: str
    amount_minor: int
    currency: str
    destination: str

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read a request's body. Raises ValueError, naming the field."""
        if not isinstance(body, dict) or set(body) != {"reference", "amount_minor", "currency", "destination"}:
            raise ValueError("the body has reference, amount_minor, currency and destination, and nothing else")
        order = cls(body["reference"], body["amount_minor"], body["currency"], body["destination"])
        order._check()
        return order

    def digest(self) -> bytes:
        """Tells two orders apart."""
        parts = [self.reference, self.amount_minor, self.currency, self.destination]
        return hashlib.sha256(json.dumps(parts).encode()).digest()

    def _check(self) -> None:
        if not (isinstance(self.reference, str) and _REFERENCE.fullmatch(self.reference)):
            raise ValueError("reference: 1 to 15 of A-Z and 2-7")
        if type(self.amount_minor) is not int or not 0 < self.amount_minor <= _LARGEST_AMOUNT:
            raise ValueError("amount_minor: a whole number above 0")
        if not (isinstance(self.currency, str) and _CURRENCY.fullmatch(self.currency)):
            raise ValueError("currency: three capital letters")
        if not (isinstance(self.destination, str) and 0 < len(self.destination) <= _LONGEST_DESTINATION):
            raise ValueError(f"destination: 1 to {_LONGEST_DESTINATION} characters")


@dataclass(frozen=True, slots=True)
class Transfer:
    """One movement of money. Times are seconds since 1970."""

    number: int
    order: Order
    outcome: Outcome
    created_at: float
    settles_at: float
    reverses_at: float
    """Used by the outcomes that come after `paid`."""

    @property
    def id(self) -> str:
        """Sorts by age."""
        return transfer_id(self.number)

    def state(self, now: float) -> str:
        """processing, paid, failed or returned."""
        if now < self.settles_at:
            return "processing"
        if self.outcome in (Outcome.PAID, Outcome.FAILED) or now < self.reverses_at:
            return "failed" if self.outcome is Outcome.FAILED else "paid"
        return "returned" if self.outcome is Outcome.RETURNED else "failed"

    def came_back_at(self) -> float | None:
        """When the money came back, or will; None when it stays out."""
        if self.outcome is Outcome.PAID:
            return None
        return self.settles_at if self.outcome is Outcome.FAILED else self.reverses_at

    def json(self, now: float) -> Json:
        """The transfer as callers see it at a time."""
        state = self.state(now)
        failure: Json = {"failure_code": _FAILURE[self.outcome]} if state in ("failed", "returned") else {}
        order = self.order
        money: Json = {"amount_minor": order.amount_minor, "currency": order.currency}
        identity: Json = {"id": self.id, "reference": order.reference, "destination": order.destination}
        return {**identity, **money, "state": state, "created_at": stamp(self.created_at), **failure}


def transfer_id(number: int) -> str:
    """The id of the `number`-th transfer."""
    return f"tr_{number:012d}"


def transfer_number(text: str) -> int | None:
    """The number in an id; None for what is none."""
    return int(text[3:]) if re.fullmatch(r"tr_\d{12}", text) else None


def stamp(seconds: float) -> str:
    """A time as RFC 3339 in UTC, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
