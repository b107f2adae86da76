"""Refresh tokens: 256 random bits, good for one use."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from chassis.errors import Unauthenticated


def new_refresh_token() -> str:
    """A fresh token, in letters that need no escape."""
    return secrets.token_urlsafe(32)


def refresh_hash(token: str) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


class RefreshTokenInvalid(Unauthenticated):
    """The refresh token is not one of ours: sign in again."""

    reason = "REFRESH_TOKEN_INVALID"


class RefreshTokenExpired(Unauthenticated):
    """The refresh token, or its session, has ended: sign in again."""

    reason = "REFRESH_TOKEN_EXPIRED"


class RefreshTokenReused(Unauthenticated):
    """The refresh token was used before. Somebody may have copied it, so its session is revoked: sign in again."""

    reason = "REFRESH_TOKEN_REUSED"


class SessionRevoked(Unauthenticated):
    """The session was revoked: sign in again."""

    reason = "SESSION_REVOKED"


class Outcome(Enum):
    """What follows from presenting a refresh token."""

    ROTATE = "it is used up and gets a successor"
    REPEAT = "its successor is told again"
    REUSED = "the session is revoked"


@dataclass(frozen=True, slots=True)
class Presented:
    """A refresh token as it was found, with its session. All times are the database's."""

    expires_at: datetime
    used_at: datetime | None
    successor_kept: bool
    session_expires_at: datetime
    session_revoked_at: datetime | None

    def outcome(self, now: datetime, grace: timedelta) -> Outcome:
        """What follows. Raises `SessionRevoked`, `RefreshTokenExpired`.

        A client whose reply got lost repeats the call within the grace; later, only a copy of the token can be at work.
        """
        if self.session_revoked_at is not None:
            raise SessionRevoked
        if now >= self.session_expires_at:
            raise RefreshTokenExpired
        if self.used_at is not None:
            return Outcome.REPEAT if self.successor_kept and now < self.used_at + grace else Outcome.REUSED
        if now >= self.expires_at:
            raise RefreshTokenExpired
        return Outcome.ROTATE
