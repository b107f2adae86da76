"""Registers an expert: an account, and the expert that other services hear of."""

from __future__ import annotations

from collections.abc import Sequence

from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.turns import Line
from services.identity.context import Context
from services.identity.domain.account import EXPERT, EXPERT_ROLE, Account, NewAccount
from services.identity.domain.expert import Expert
from services.identity.usecases.announce import expert_changed
from services.identity.usecases.choose_password import choose_password
from services.identity.usecases.create_account import create_account

_INSERT = "INSERT INTO expert (id, account_id, person_id, locales) VALUES ($1, $2, $3, $4)"


def expert_account(email: str, password: str, display_name: str) -> NewAccount:
    """What an expert registers with."""
    return NewAccount(EXPERT, email, password, display_name, frozenset({EXPERT_ROLE}))


async def register_expert(
    database: Database, context: Context, new: NewAccount, locales: Sequence[str], source: str
) -> tuple[Account, Expert]:
    """The account and the expert, with nothing attested yet; `source` is the network that they register from.

    Raises `EmailTaken`, and what `choose_password` raises.
    """
    password_hash = await choose_password(context, new, Line(False, source))

    async def work(tx: Transaction) -> tuple[Account, Expert]:
        account = await create_account(tx, context, new, password_hash)
        return account, await _create_expert(tx, account, locales)

    return await database.run(Scope.service(), work)


async def _create_expert(tx: Transaction, account: Account, locales: Sequence[str]) -> Expert:
    expert = Expert(new_id(), account.person_id, "ACTIVE", (), tuple(locales), payout_eligible=False, version=1)
    await tx.execute(_INSERT, expert.id, account.id, expert.person_id, list(expert.locales))
    tx.emit(expert_changed(expert))
    return expert
