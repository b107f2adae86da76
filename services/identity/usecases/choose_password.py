"""Takes a new password: what may be chosen is hashed, outside of any transaction."""

from __future__ import annotations

from chassis.turns import Line
from services.identity.context import Context
from services.identity.domain.account import STAFF, NewAccount
from services.identity.domain.password import LEAST, LEAST_OF_STAFF, check_choice, spelled


async def choose_password(context: Context, new: NewAccount, line: Line) -> str:
    """The hash of a new account's password, made in its turn in that line.

    Raises `PasswordUnreadable`, `PasswordTooShort`, `PasswordGuessable`, `SignInBusy`.
    """
    password = spelled(new.password)
    least = LEAST_OF_STAFF if new.kind == STAFF else LEAST
    check_choice(password, context.common_passwords, (new.email, new.display_name), least)
    with context.passwords.admission(line) as hashing:
        return await hashing.hash(password)
