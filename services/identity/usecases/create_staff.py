"""Makes an account for a member of staff."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.db import Database, Scope, Transaction
from services.identity.context import Context
from services.identity.domain.account import STAFF, Account, NewAccount
from services.identity.usecases.create_account import create_account


async def create_staff(
    database: Database, context: Context, email: str, password: str, display_name: str, roles: Iterable[str]
) -> Account:
    """The account, with roles like "FINANCE". Raises `EmailTaken`, `SignInBusy`."""
    new = NewAccount(STAFF, email, password, display_name, frozenset(roles))
    with context.passwords.admission():
        password_hash = await context.passwords.hash(password)

    async def work(tx: Transaction) -> Account:
        return await create_account(tx, context, new, password_hash)

    return await database.run(Scope.service(), work)
