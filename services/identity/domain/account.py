"""Accounts of people, and why they may not be used."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chassis.errors import AlreadyExists, PermissionDenied, Unauthenticated

EXPERT = "expert"
STAFF = "staff"
EXPERT_ROLE = "EXPERT"


class InvalidCredentials(Unauthenticated):
    """The e-mail address or the password is wrong: check both."""

    reason = "INVALID_CREDENTIALS"


class AccountSuspended(PermissionDenied):
    """The account is suspended: ask the platform's support."""

    reason = "ACCOUNT_SUSPENDED"


class EmailTaken(AlreadyExists):
    """There is an account with this e-mail address: sign in with it, or take another address."""

    reason = "EMAIL_TAKEN"


@dataclass(frozen=True, slots=True)
class Account:
    """An account without anything personal."""

    id: UUID
    person_id: UUID
    kind: str
    status: str
    roles: frozenset[str]
    expert_id: UUID | None

    def check_active(self) -> None:
        """Raises `AccountSuspended`."""
        if self.status != "ACTIVE":
            raise AccountSuspended


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A person who gets an account: what is personal here must go nowhere but sealed."""

    kind: str
    email: str
    password: str
    display_name: str
    roles: frozenset[str]

    def __repr__(self) -> str:
        return f"NewAccount(kind={self.kind!r})"
