"""Makes an account of a new person, everything personal sealed under a key of their own."""

from __future__ import annotations

from uuid import UUID

from chassis.db import Transaction
from chassis.ids import new_id
from services.identity.context import Context
from services.identity.domain.account import Account, EmailTaken, NewAccount

_INSERT = """
WITH account AS (
    INSERT INTO account (id, person_id, kind, email_index, email_sealed, display_name_sealed, password_hash, roles)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (email_index) DO NOTHING
    RETURNING person_id
)
INSERT INTO person_key (person_id, wrapped) SELECT person_id, $9 FROM account RETURNING person_id
"""


async def create_account(tx: Transaction, context: Context, new: NewAccount, password_hash: str) -> Account:
    """The new account. The password is hashed before, outside of any transaction. Raises `EmailTaken`."""
    account = Account(new_id(), new_id(), new.kind, "ACTIVE", new.roles, None)
    wrapped = context.vault.new_key()
    made = await tx.fetchval(
        _INSERT,
        account.id,
        account.person_id,
        account.kind,
        context.email_index(new.email),
        _sealed(context, wrapped, account.person_id, "email", new.email),
        _sealed(context, wrapped, account.person_id, "display_name", new.display_name),
        password_hash,
        sorted(new.roles),
        wrapped,
    )
    if made is None:
        raise EmailTaken(field="email")
    return account


def _sealed(context: Context, wrapped: bytes, person_id: UUID, field: str, text: str) -> bytes:
    return context.vault.seal(wrapped, person_id, f"account.{field}", text.encode())
