"""What is revoked: sessions, API keys and accounts whose tokens are refused before they end by themselves.

The set is in memory, so that a look costs no call. It forgets what no token can be meant by any more.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from preceptor.identity.v1.events_pb2 import Revoked

from chassis.errors import Unauthenticated
from chassis.rpc.call import Caller

_SWEEP_AT = 1000


class TokenRevoked(Unauthenticated):
    """The access token is revoked, with its session, its key or its account: sign in again, if you may."""

    reason = "TOKEN_REVOKED"


class _Entry(NamedTuple):
    version: int
    expires: float
    lifted: bool


class Revocations:
    """The revoked ids that a process knows of."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        """Knows of none; `clock` gives seconds since 1970."""
        self._clock = clock
        self._entries: dict[UUID, _Entry] = {}
        self._sweep_at = _SWEEP_AT

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, revoked: Revoked) -> None:
        """Applies a state by its version. Raises `ValueError` for one without a proper id."""
        id_, expires = UUID(revoked.revoked_id), revoked.expire_time.ToNanoseconds() / 1e9
        known = self._entries.get(id_)
        if expires > self._clock() and (known is None or revoked.version > known.version):
            self._entries[id_] = _Entry(revoked.version, expires, revoked.lifted)
            if len(self._entries) >= self._sweep_at:
                self._sweep()

    def check(self, caller: Caller) -> None:
        """Raises `TokenRevoked` if the caller's session, key or account is revoked."""
        if self._entries and (self._revoked(caller.session_id) or self._revoked(caller.subject)):
            raise TokenRevoked

    def _revoked(self, id_: UUID) -> bool:
        entry = self._entries.get(id_)
        return entry is not None and not entry.lifted and entry.expires > self._clock()

    def _sweep(self) -> None:
        now = self._clock()
        self._entries = {id_: entry for id_, entry in self._entries.items() if entry.expires > now}
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._entries))
