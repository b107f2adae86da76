"""Revokes sessions and API keys, and tells all processes that take tokens, so that they refuse at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from preceptor.identity.v1.events_pb2 import (
    REVOKED_KIND_ACCOUNT,
    REVOKED_KIND_API_KEY,
    REVOKED_KIND_SESSION,
    Revoked,
    RevokedKind,
)

from chassis.db import Transaction
from services.identity.context import Context
from services.identity.domain.api_key import ApiKeyUnknown
from services.identity.domain.refresh import SessionRevoked

# Clocks of processes differ a little, and a token that is being issued just now ends a little later.
_MARGIN = timedelta(minutes=1)

_SESSION = """
UPDATE session SET revoked_at = clock_timestamp(), revoke_reason = $3
WHERE id = $1 AND account_id = $2 AND revoked_at IS NULL RETURNING id
"""

_SESSIONS = """
WITH live AS (
    SELECT id FROM session WHERE account_id = $1 AND revoked_at IS NULL AND expires_at > now() ORDER BY id FOR UPDATE)
UPDATE session SET revoked_at = clock_timestamp(), revoke_reason = $2 FROM live WHERE session.id = live.id
RETURNING session.id
"""

_FORGET_DEVICES = "UPDATE account SET devices_since = clock_timestamp() WHERE id = $1"

_API_KEY = """
UPDATE api_key SET revoked_at = coalesce(revoked_at, clock_timestamp()), revoke_reason = coalesce(revoke_reason, $2),
                   revoked_by = coalesce(revoked_by, $3)
WHERE id = $1 RETURNING revoked_at
"""


async def sign_out(tx: Transaction, context: Context, session_id: UUID, account_id: UUID) -> None:
    """Ends the session of a caller. Raises `SessionRevoked` if it has ended already."""
    if await tx.fetchval(_SESSION, session_id, account_id, "SIGNED_OUT") is None:
        raise SessionRevoked
    tell_session(tx, context, session_id)


async def revoke_sessions(tx: Transaction, context: Context, account_id: UUID, reason: str) -> int:
    """Ends all sessions of an account and forgets its devices; returns how many sessions."""
    await tx.execute(_FORGET_DEVICES, account_id)
    ended = [row["id"] for row in await tx.fetch(_SESSIONS, account_id, reason)]
    for session_id in ended:
        tell_session(tx, context, session_id)
    return len(ended)


async def revoke_api_key(tx: Transaction, context: Context, key_id: UUID, reason: str, revoked_by: UUID) -> datetime:
    """Revokes an API key; returns since when it is. A second time changes nothing. Raises `ApiKeyUnknown`."""
    revoked_at: datetime | None = await tx.fetchval(_API_KEY, key_id, reason, revoked_by)
    if revoked_at is None:
        raise ApiKeyUnknown
    tx.emit(_revoked(context, key_id, REVOKED_KIND_API_KEY, version=1))
    return revoked_at


def tell_session(tx: Transaction, context: Context, session_id: UUID) -> None:
    """Tells that a session is revoked, which this transaction has written."""
    tx.emit(_revoked(context, session_id, REVOKED_KIND_SESSION, version=1))


def tell_account(tx: Transaction, context: Context, account_id: UUID, version: int, *, lifted: bool) -> None:
    """Tells that an account is suspended, or is no longer; `version` rises with each."""
    tx.emit(_revoked(context, account_id, REVOKED_KIND_ACCOUNT, version, lifted=lifted))


def _revoked(
    context: Context, id_: UUID, kind: RevokedKind.ValueType, version: int, *, lifted: bool = False
) -> Revoked:
    revoked = Revoked(revoked_id=str(id_), version=version, kind=kind, lifted=lifted)
    revoked.expire_time.FromDatetime(datetime.now(UTC) + context.settings.access_token_life + _MARGIN)
    return revoked
