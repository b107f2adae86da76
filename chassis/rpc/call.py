"""What a handler knows of the call it serves: who calls, what it may reach, and the transaction it works in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from chassis.db import Database, Scope, Transaction
from chassis.errors import PermissionDenied

C = TypeVar("C")


class NotYours(PermissionDenied):
    """What you ask for belongs to somebody else, or does not exist: ask for what is your own."""

    reason = "NOT_YOURS"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as a verified access token says."""

    subject: UUID
    kind: str
    roles: frozenset[str]
    person_id: UUID
    session_id: UUID
    vendor_id: UUID | None = None
    expert_id: UUID | None = None
    source: str = ""
    """Of a caller without a token: the network that the call comes from (`source.py`)."""

    @property
    def scope(self) -> Scope:
        """The rows that the caller can reach: a vendor its own, others what their use case lets them."""
        return Scope.vendor(self.vendor_id) if self.vendor_id else Scope.service()


_NOBODY = UUID(int=0)
ANYONE = Caller(_NOBODY, "anyone", frozenset({"ANYONE"}), _NOBODY, _NOBODY)
"""The caller of a method that needs no token."""


@dataclass(frozen=True, slots=True)
class Call(Generic[C]):
    """A call that has passed all checks. `context` is what the service made at its start.

    A handler with a transaction works in it; the others (streams, slow hashing) open their own on `database`.
    """

    caller: Caller
    context: C
    database: Database
    transaction: Transaction | None = None

    @property
    def tx(self) -> Transaction:
        """The transaction of the call, committed when the handler returns."""
        assert self.transaction is not None, "this method was declared without a transaction"
        return self.transaction

    def vendor(self, vendor_id: UUID) -> UUID:
        """The vendor asked for, if the caller may reach it. Raises `NotYours` for a vendor asking for another."""
        if self.caller.vendor_id not in (None, vendor_id):
            raise NotYours
        return vendor_id

    def own_vendor(self) -> UUID:
        """The vendor that calls. Raises `NotYours` if the caller is none."""
        if self.caller.vendor_id is None:
            raise NotYours
        return self.caller.vendor_id

    def expert(self, expert_id: UUID) -> UUID:
        """The expert asked for, if the caller may reach it. Raises `NotYours` for an expert asking for another."""
        if self.caller.expert_id not in (None, expert_id):
            raise NotYours
        return expert_id

    def own_expert(self) -> UUID:
        """The expert that calls. Raises `NotYours` if the caller is none."""
        if self.caller.expert_id is None:
            raise NotYours
        return self.caller.expert_id
