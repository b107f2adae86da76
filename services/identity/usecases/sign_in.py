"""Signs a person in by password.

Neither the answer nor its time tells whether an address has an account: unknown ones are counted, hashed and refused
like wrong passwords. The hash is computed between two transactions, so that no connection waits for it.
"""

from __future__ import annotations

import structlog
from asyncpg import Record

from chassis.db import Database, Scope, Transaction
from services.identity.context import Context
from services.identity.domain.account import Account, InvalidCredentials
from services.identity.domain.throttle import Attempts
from services.identity.usecases.open_session import Tokens, account_of, open_session

_log = structlog.get_logger(__name__)

# The update that changes nothing locks the row, so that parallel tries are counted one after the other.
_ATTEMPTS = """
INSERT INTO sign_in_attempt AS mine (email_index) VALUES ($1)
ON CONFLICT (email_index) DO UPDATE SET count = mine.count
RETURNING count, last_at, blocked_until, clock_timestamp() AS now
"""

_COUNT = """
UPDATE sign_in_attempt SET count = $2, last_at = $3, blocked_until = $4 WHERE email_index = $1
"""

_ACCOUNT = """
SELECT a.id, a.person_id, a.kind, a.status, a.roles, a.password_hash, e.id AS expert_id
FROM account a LEFT JOIN expert e ON e.account_id = a.id
WHERE a.email_index = $1
"""

_REHASH = "UPDATE account SET password_hash = $2 WHERE id = $1 AND password_hash = $3"
_FORGIVE = "DELETE FROM sign_in_attempt WHERE email_index = $1"


async def sign_in(database: Database, context: Context, email: str, password: str) -> Tokens:
    """The tokens of a new session.

    Raises `InvalidCredentials`, `AccountSuspended`, `SignInThrottled`, `SignInBusy`.
    """
    index = context.email_index(email)
    with context.passwords.admission():
        found = await database.run(Scope.service(), lambda tx: _count_and_find(tx, index))
        account = await _checked(context, found, password)
        rehashed = await _rehashed(context, found, password)

    async def work(tx: Transaction) -> Tokens:
        await tx.execute(_FORGIVE, index)
        if rehashed and found:
            await tx.execute(_REHASH, account.id, rehashed, found["password_hash"])
        return await open_session(tx, context, account)

    return await database.run(Scope.service(), work)


async def _count_and_find(tx: Transaction, index: bytes) -> Record | None:
    """The account with this address, if any, the try being counted. Raises `SignInThrottled`."""
    row = await tx.fetchrow(_ATTEMPTS, index)
    assert row is not None
    attempts = Attempts(row["count"], row["last_at"], row["blocked_until"]).next(row["now"])
    await tx.execute(_COUNT, index, attempts.count, attempts.last_at, attempts.blocked_until)
    return await tx.fetchrow(_ACCOUNT, index)


async def _checked(context: Context, found: Record | None, password: str) -> Account:
    """The account that the password opens."""
    fits = await context.passwords.matches(found["password_hash"] if found else None, password)
    if not fits or found is None:
        _log.info("sign_in_refused", account_id=str(found["id"]) if found else None)
        raise InvalidCredentials
    account = account_of(found)
    account.check_active()
    return account


async def _rehashed(context: Context, found: Record | None, password: str) -> str | None:
    """A hash with today's parameters, where the stored one has others."""
    if found is None or not context.passwords.outdated(found["password_hash"]):
        return None
    return await context.passwords.hash(password)
