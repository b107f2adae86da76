"""Offline commands of identity: the keys that access tokens are signed with, and the first administrator."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Annotated

import typer
from joserfc.jwk import OKPKey

from chassis.db import Database, Scope
from chassis.errors import InvalidArgument
from chassis.rpc.signing import public_jwk
from chassis.settings import ChassisSettings, load
from services.identity.context import Context, make_context
from services.identity.domain.account import EmailTaken
from services.identity.usecases.create_staff import create_staff

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Offline commands of identity.")

_IS_KNOWN = "SELECT EXISTS (SELECT FROM account WHERE email_index = $1)"


@app.command("generate-keys")
def generate_keys(
    private: Annotated[Path, typer.Option(help="Where the private key set goes; only its owner may read it.")],
    public: Annotated[Path, typer.Option(help="Where the public key set goes, for all services.")],
) -> None:
    """Make a fresh key to sign access tokens with. Files that exist are never overwritten."""
    if taken := [str(path) for path in (private, public) if path.exists()]:
        raise typer.BadParameter(f"already there, and not overwritten: {', '.join(taken)}")
    key = OKPKey.generate_key("Ed25519", {"use": "sig"})
    shown = public_jwk(key)
    _write_new(private, {**shown, "d": str(key.as_dict(private=True)["d"])}, 0o600)
    _write_new(public, shown, 0o644)
    typer.echo(f"Made the key {shown['kid']}.")


@app.command("create-admin")
def create_admin(
    email: Annotated[str, typer.Option(help="The address to sign in with.")],
    password_file: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="Holds the password in one line.")],
    display_name: Annotated[str, typer.Option(help="The person's name.")] = "Administrator",
) -> None:
    """Make the first administrator, with the service's own settings. A second time it changes nothing."""
    password = password_file.read_text(encoding="utf-8").rstrip("\r\n")
    try:
        made = asyncio.run(_connect_and_create(email, password, display_name))
    except InvalidArgument as refused:
        raise typer.BadParameter(refused.message) from None
    typer.echo("Made the administrator." if made else "There is an account with this address already: nothing changed.")


async def ensure_admin(database: Database, context: Context, email: str, password: str, display_name: str) -> bool:
    """Makes an administrator unless there is an account with the address; returns whether it made one."""
    async with database.transaction(Scope.service()) as tx:
        if await tx.fetchval(_IS_KNOWN, context.email_index(email)):
            return False
    try:
        await create_staff(database, context, email, password, display_name, ["ADMIN"])
    except EmailTaken:
        return False
    return True


async def _connect_and_create(email: str, password: str, display_name: str) -> bool:
    settings = load(ChassisSettings)
    database = await Database.connect(settings.database_url.get_secret_value(), max_size=1)
    try:
        async with make_context(settings, database) as context:
            return await ensure_admin(database, context, email, password, display_name)
    finally:
        await database.close()


def _write_new(path: Path, jwk: dict[str, str | list[str]], mode: int) -> None:
    """Writes a set of one key. The mode holds from the first byte on, and an existing file is an error."""
    path.parent.mkdir(mode=0o777 if mode & 0o077 else 0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
        json.dump({"keys": [jwk]}, file, indent=2)
