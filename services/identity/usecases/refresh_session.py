"""Exchanges a refresh token for its one successor and a new access token."""

from __future__ import annotations

import os

import structlog
from asyncpg import Record
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from chassis.db import Database, Scope, Transaction
from services.identity.context import Context
from services.identity.domain.refresh import (
    Outcome,
    Presented,
    RefreshTokenInvalid,
    RefreshTokenReused,
    new_refresh_token,
    refresh_hash,
)
from services.identity.usecases.open_session import Tokens, account_of, tokens_of
from services.identity.usecases.revoke import tell_session

_log = structlog.get_logger(__name__)
_NONCE = 12

# The session is locked, not the token: what happens to one family happens one after the other, its revocation too.
_LOCK = """
SELECT id FROM session WHERE id = (SELECT session_id FROM refresh_token WHERE hash = $1) FOR UPDATE
"""

_FIND = """
SELECT t.session_id, t.expires_at, t.used_at, t.successor_sealed,
       s.expires_at AS session_expires_at, s.revoked_at AS session_revoked_at, clock_timestamp() AS now,
       a.id, a.person_id, a.kind, a.status, a.roles, e.id AS expert_id
FROM refresh_token t
JOIN session s ON s.id = t.session_id
JOIN account a ON a.id = s.account_id
LEFT JOIN expert e ON e.account_id = a.id
WHERE t.hash = $1
"""

_ROTATE = """
WITH used AS (
    UPDATE refresh_token SET used_at = clock_timestamp(), successor_sealed = $2 WHERE hash = $1 RETURNING session_id
)
INSERT INTO refresh_token (hash, session_id, expires_at)
SELECT $3, s.id, least(s.expires_at, now() + $4) FROM session s JOIN used ON used.session_id = s.id
"""

_REVOKE = """
UPDATE session SET revoked_at = clock_timestamp(), revoke_reason = 'REFRESH_TOKEN_REUSED' WHERE id = $1
"""


async def refresh_session(database: Database, context: Context, token: str) -> Tokens:
    """The session's next tokens. A repeat within the grace gets the same successor; a later one revokes the session.

    Raises `RefreshTokenInvalid`, `RefreshTokenExpired`, `RefreshTokenReused`, `SessionRevoked`, `AccountSuspended`.
    """
    tokens = await database.run(Scope.service(), lambda tx: _refresh(tx, context, token))
    # Raised out here: in the transaction it would undo the revocation.
    if tokens is None:
        raise RefreshTokenReused
    return tokens


async def _refresh(tx: Transaction, context: Context, token: str) -> Tokens | None:
    """The tokens, or nothing if the token was reused and its session therefore revoked."""
    row = await _locked(tx, token)
    outcome = _presented(row).outcome(row["now"], context.settings.refresh_grace)
    if outcome is Outcome.REUSED:
        await tx.execute(_REVOKE, row["session_id"])
        tell_session(tx, context, row["session_id"])
        _log.warning("refresh_token_reused", session_id=str(row["session_id"]))
        return None
    account = account_of(row)
    account.check_active()
    if outcome is Outcome.REPEAT:
        successor = open_successor(token, row["successor_sealed"])
    else:
        successor = await _rotate(tx, context, token)
    return tokens_of(context, account, row["session_id"], successor)


async def _locked(tx: Transaction, token: str) -> Record:
    """The token with its session, which is locked. Raises `RefreshTokenInvalid`."""
    hash_ = refresh_hash(token)
    await tx.execute(_LOCK, hash_)
    if (row := await tx.fetchrow(_FIND, hash_)) is None:
        raise RefreshTokenInvalid
    return row


def _presented(row: Record) -> Presented:
    return Presented(
        expires_at=row["expires_at"],
        used_at=row["used_at"],
        successor_kept=row["successor_sealed"] is not None,
        session_expires_at=row["session_expires_at"],
        session_revoked_at=row["session_revoked_at"],
    )


async def _rotate(tx: Transaction, context: Context, token: str) -> str:
    """Uses the token up; returns its successor."""
    successor = new_refresh_token()
    sealed = seal_successor(token, successor)
    idle = context.settings.refresh_idle_life
    await tx.execute(_ROTATE, refresh_hash(token), sealed, refresh_hash(successor), idle)
    return successor


def seal_successor(token: str, successor: str) -> bytes:
    """The successor, readable with the token that it follows only."""
    nonce = os.urandom(_NONCE)
    return nonce + _successor_cipher(token).encrypt(nonce, successor.encode(), None)


def open_successor(token: str, sealed: bytes) -> str:
    """The successor that was sealed for this token."""
    return _successor_cipher(token).decrypt(sealed[:_NONCE], sealed[_NONCE:], None).decode()


def _successor_cipher(token: str) -> AESGCM:
    derivation = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"preceptor refresh successor")
    return AESGCM(derivation.derive(token.encode()))
