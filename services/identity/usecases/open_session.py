"""Opens a session for an account, and makes the tokens of its sign-in and of its refreshes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from chassis.db import Transaction
from chassis.ids import new_id
from chassis.rpc.call import Caller
from services.identity.context import Context
from services.identity.domain.account import Account
from services.identity.domain.refresh import new_refresh_token, refresh_hash

_INSERT = """
WITH session AS (
    INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + $3) RETURNING id, expires_at
)
INSERT INTO refresh_token (hash, session_id, expires_at) SELECT $4, id, least(expires_at, now() + $5) FROM session
"""

# Shared, so that sign-ins do not wait for each other; a suspension waits for this one, or has come before it.
_STATUS = "SELECT status FROM account WHERE id = $1 FOR SHARE"


@dataclass(frozen=True, slots=True)
class Tokens:
    """What a client gets for signing in; ids of what it then is."""

    access_token: str = field(repr=False)
    access_expires_at: datetime
    refresh_token: str = field(default="", repr=False)
    account_id: UUID | None = None
    expert_id: UUID | None = None
    vendor_id: UUID | None = None


async def open_session(tx: Transaction, context: Context, account: Account) -> Tokens:
    """The tokens of a new session. Raises `AccountSuspended` if the account was suspended since it was looked at."""
    replace(account, status=await tx.fetchval(_STATUS, account.id)).check_active()
    session_id, refresh_token = new_id(), new_refresh_token()
    lives = context.settings
    await tx.execute(
        _INSERT, session_id, account.id, lives.session_life, refresh_hash(refresh_token), lives.refresh_idle_life
    )
    return tokens_of(context, account, session_id, refresh_token)


def tokens_of(context: Context, account: Account, session_id: UUID, refresh_token: str) -> Tokens:
    """A fresh access token of the session, beside its refresh token."""
    caller = Caller(
        subject=account.id,
        kind=account.kind,
        roles=account.roles,
        person_id=account.person_id,
        session_id=session_id,
        expert_id=account.expert_id,
    )
    access_token, ends = context.signer.access_token(caller)
    return Tokens(access_token, ends, refresh_token, account_id=account.id, expert_id=account.expert_id)


def account_of(row: Record) -> Account:
    """The account in a row with the columns id, person_id, kind, status, roles and expert_id."""
    return Account(row["id"], row["person_id"], row["kind"], row["status"], frozenset(row["roles"]), row["expert_id"])
