"""Transfers: what one is, when two are the same, what they do to balances, and how they are chained."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from uuid import UUID, uuid5

from chassis.errors import AlreadyExists, FailedPrecondition
from services.payouts.domain.accounts import Account

# Every key of money is derived under this: never change it, or the same business fact could be booked twice.
_KEYS = UUID("5f0c6a52-6c0e-5e0b-9a6e-6d6f6e657900")
GENESIS = bytes(32)


class Overdraft(FailedPrecondition):
    """The account does not hold that much."""

    reason = "OVERDRAFT"


class BalanceTooLarge(FailedPrecondition):
    """More of this currency would come in than the ledger keeps: reverse deposits that were booked by mistake."""

    reason = "BALANCE_TOO_LARGE"


class KeyReused(AlreadyExists):
    """The key is booked already, with other figures."""

    reason = "LEDGER_KEY_REUSED"


def key_of(business_key: str) -> UUID:
    """The permanent idempotency key of a business fact, such as ``release:<earning>``."""
    return uuid5(_KEYS, business_key)


@dataclass(frozen=True)
class Transfer:
    """One movement of money between two accounts of one currency, in minor units.

    `business_key` names the fact that moves it; `cause` holds the ids that trace it. Raises `ValueError` for what only
    a bug can bring: two currencies, the same account twice, nothing to move.
    """

    business_key: str
    debit: Account
    credit: Account
    amount: int
    kind: str
    cause: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuses what is no transfer."""
        if self.debit.currency != self.credit.currency or self.debit.code == self.credit.code or self.amount <= 0:
            raise ValueError(f"not a transfer: {self}")

    @property
    def currency(self) -> str:
        """The currency of both accounts, which is also the lane."""
        return self.debit.currency

    @cached_property
    def idem(self) -> UUID:
        """Its permanent key."""
        return key_of(self.business_key)

    @cached_property
    def body_hash(self) -> bytes:
        """What two postings of one key must agree on: the money, not its trace."""
        return body_hash(self.debit.code, self.credit.code, self.amount, self.currency, self.kind)


def body_hash(debit: str, credit: str, amount: int, currency: str, kind: str) -> bytes:
    """The fingerprint of a transfer's money."""
    return hashlib.sha256(_text([debit, credit, amount, currency, kind])).digest()


def unposted(transfers: Iterable[Transfer], posted: Mapping[UUID, bytes]) -> list[Transfer]:
    """Those that are not booked yet, in order; of equal ones the first. `posted` has body hashes by key.

    Raises `KeyReused` if a key comes with other figures than before, in the journal or in the batch itself.
    """
    seen = dict(posted)
    fresh = []
    for transfer in transfers:
        if transfer.idem not in seen:
            seen[transfer.idem] = transfer.body_hash
            fresh.append(transfer)
        elif seen[transfer.idem] != transfer.body_hash:
            raise KeyReused(key=transfer.business_key)
    return fresh


def move(balances: MutableMapping[Account, int], transfers: Iterable[Transfer], most: int) -> None:
    """Carries out transfers on balances one after another. Raises `Overdraft` at the first that a floor forbids.

    Raises `BalanceTooLarge` at the first by which an account without a floor would owe more than `most`: so much money
    comes in by it, and all others together hold no more than comes in.
    """
    for transfer in transfers:
        debit, left = transfer.debit, balances[transfer.debit] - transfer.amount
        code, currency, key = debit.code, transfer.currency, transfer.business_key
        if debit.floor is not None and left < debit.floor:
            raise Overdraft(account=code, currency=currency, missing=str(debit.floor - left), key=key)
        if debit.floor is None and left < -most:
            raise BalanceTooLarge(account=code, currency=currency, most_minor=str(most), key=key)
        balances[debit] = left
        balances[transfer.credit] += transfer.amount


def chained(previous: bytes, links: Iterable[bytes]) -> bytes:
    """The hash of a block: its links after the hash of the block before."""
    return hashlib.sha256(previous + b"".join(links)).digest()


def link(seq: int, idem: UUID, body: bytes, cause: Mapping[str, str], recorded_at: datetime) -> bytes:
    """The fingerprint of everything that a row of the journal says."""
    return hashlib.sha256(_text([seq, str(idem), body.hex(), dict(cause), recorded_at.isoformat()])).digest()


def _text(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
