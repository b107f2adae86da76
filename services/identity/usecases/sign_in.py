"""Signs a person in by password.

Neither the answer nor its time tells whether an address has an account: unknown ones are counted, hashed and refused
like wrong passwords. The hash is computed between two transactions, so that no connection waits for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import structlog
from asyncpg import Record

from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.passwords import Hashing
from chassis.turns import Line
from services.identity.context import Context
from services.identity.domain.account import Account, InvalidCredentials
from services.identity.domain.device import Device
from services.identity.domain.password import spelled, spellings
from services.identity.usecases.count_tries import count_try, forgive
from services.identity.usecases.open_session import Tokens, account_of, open_session

_log = structlog.get_logger(__name__)

_ACCOUNT = """
SELECT a.id, a.person_id, a.kind, a.status, a.roles, a.password_hash, a.devices_since, e.id AS expert_id,
       clock_timestamp() AS now
FROM account a LEFT JOIN expert e ON e.account_id = a.id
WHERE a.email_index = $1
"""

_REHASH = "UPDATE account SET password_hash = $2 WHERE id = $1 AND password_hash = $3"
_NOW = "SELECT clock_timestamp()"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What somebody signs in with, and the network that they come from."""

    email: str = field(repr=False)
    password: str = field(repr=False)
    device_token: str = field(repr=False)
    source: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The tokens of a new session, and the one by which the device is known from now on."""

    tokens: Tokens
    device_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Try:
    """A try that was counted: the account with this address, if any, and what it was counted against."""

    account: Record | None
    device: Device | None
    """Where it is known."""


async def sign_in(database: Database, context: Context, shown: Credentials) -> SignedIn:
    """A new session.

    Raises `InvalidCredentials`, `AccountSuspended`, `SignInThrottled`, `SignInBusy`.
    """
    index = context.email_index(shown.email)
    device = context.device_of(shown.device_token, index)
    with context.passwords.admission(Line(device is not None, shown.source)) as hashing:
        tried = await database.run(Scope.service(), lambda tx: _counted(tx, context, index, device, shown.source))
        account, fitting = await _checked(hashing, tried, shown.password)
        rehashed = await _rehashed(context, hashing, tried, fitting)

    async def work(tx: Transaction) -> SignedIn:
        await forgive(tx, context, index, tried.device, shown.source)
        if rehashed and tried.account:
            await tx.execute(_REHASH, account.id, rehashed, tried.account["password_hash"])
        tokens = await open_session(tx, context, account)
        now: datetime = await tx.fetchval(_NOW)
        here = Device(tried.device.id if tried.device else new_id(), now)
        return SignedIn(tokens, context.device_token(here, index))

    return await database.run(Scope.service(), work)


async def _counted(tx: Transaction, context: Context, index: bytes, device: Device | None, source: str) -> _Try:
    """Counts the try, as failed until it succeeds. Raises `SignInThrottled`."""
    account = await tx.fetchrow(_ACCOUNT, index)
    life = context.settings.device_life
    if device and not (account and device.known_to(account["now"], life, account["devices_since"])):
        device = None
    if await count_try(tx, context, index, device, source):
        _log.warning("sign_in_siege", account_id=str(account["id"]) if account else None)
    return _Try(account, device)


async def _checked(hashing: Hashing, tried: _Try, password: str) -> tuple[Account, str]:
    """The account that the password opens, and in which spelling."""
    found = tried.account
    fitting = await hashing.which_fits(found["password_hash"] if found else None, spellings(password))
    if fitting is None or found is None:
        _log.info("sign_in_refused", account_id=str(found["id"]) if found else None, known=tried.device is not None)
        raise InvalidCredentials
    account = account_of(found)
    account.check_active()
    return account, fitting


async def _rehashed(context: Context, hashing: Hashing, tried: _Try, fitting: str) -> str | None:
    """A hash with today's parameters and spelling, where the stored one has others."""
    assert tried.account is not None
    one = spelled(fitting)
    if fitting == one and not context.passwords.outdated(tried.account["password_hash"]):
        return None
    return await hashing.hash(one)
