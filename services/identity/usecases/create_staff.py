"""Makes an account for a member of staff."""

from __future__ import annotations

from collections.abc import Iterable

from chassis.db import Database, Scope, Transaction
from chassis.turns import Line
from services.identity.context import Context
from services.identity.domain.account import STAFF, Account, NewAccount
from services.identity.usecases.choose_password import choose_password
from services.identity.usecases.create_account import create_account

# Whoever may do it has signed in: all stand in one line of those who are known.
_STAFF = "staff"


async def create_staff(
    database: Database, context: Context, email: str, password: str, display_name: str, roles: Iterable[str]
) -> Account:
    """The account, with roles like "FINANCE". Raises `EmailTaken`, and what `choose_password` raises."""
    new = NewAccount(STAFF, email, password, display_name, frozenset(roles))
    password_hash = await choose_password(context, new, Line(True, _STAFF))

    async def work(tx: Transaction) -> Account:
        return await create_account(tx, context, new, password_hash)

    return await database.run(Scope.service(), work)
