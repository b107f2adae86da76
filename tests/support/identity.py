"""Identity on a fresh database, with keys of its own and password hashes that cost next to nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from uuid import UUID, uuid4

from google.protobuf.message import Message
from joserfc.jwk import OKPKey

from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue
from chassis.db import Database, Scope
from chassis.rpc.signing import public_jwk
from chassis.rpc.tokens import TokenVerifier
from services.identity.context import Context, context_of
from services.identity.domain.account import Account
from services.identity.domain.expert import Expert
from services.identity.service import SERVICE
from services.identity.settings import IdentitySettings
from services.identity.usecases.open_session import Tokens
from services.identity.usecases.register_expert import expert_account, register_expert
from services.identity.usecases.sign_in import Credentials, SignedIn, sign_in
from tests.support.databases import Databases

M = TypeVar("M", bound=Message)
PASSWORD = "correct horse battery"
SOURCE = "192.0.2.7"


@dataclass(frozen=True)
class World:
    """What identity's use cases work on, and a verifier as the other services have it."""

    url: str
    folder: Path
    database: Database
    context: Context
    verifier: TokenVerifier

    async def registered(self, email: str = "ann@example.com", name: str = "Ann") -> tuple[Account, Expert]:
        """A new expert."""
        return await register_expert(
            self.database, self.context, expert_account(email, PASSWORD, name), ["en", "de-CH"], SOURCE
        )

    async def signed_in(self, email: str = "ann@example.com", password: str = PASSWORD) -> Tokens:
        """The tokens of a sign-in."""
        return (await self.sign_in(email, password)).tokens

    async def sign_in(
        self, email: str = "ann@example.com", password: str = PASSWORD, device: str = "", source: str = SOURCE
    ) -> SignedIn:
        """A sign-in from a network, with the token of a device that is known or none."""
        return await sign_in(self.database, self.context, Credentials(email, password, device, source))

    async def execute(self, sql: str, *args: object) -> None:
        """Changes rows behind identity's back, as time or an operator would."""
        async with self.database.transaction(Scope.service()) as tx:
            await tx.execute(sql, *args)

    async def values(self, sql: str, *args: object) -> list[object]:
        """The first column of all rows."""
        async with self.database.transaction(Scope.service()) as tx:
            return [row[0] for row in await tx.fetch(sql, *args)]

    async def events(self, kind: type[M]) -> list[M]:
        """The events of a kind that wait in the outbox, in their order."""
        name = kind.DESCRIPTOR.full_name
        payloads = await self.values("SELECT payload FROM outbox WHERE type = $1 ORDER BY id", name)
        return [kind.FromString(payload) for payload in payloads if isinstance(payload, bytes)]

    async def everything_stored(self) -> str:
        """All rows of all tables as text, bytes as hex and as what they would read as."""
        tables = await self.values("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows: list[str] = []
        async with self.database.transaction(Scope.service()) as tx:
            for table in tables:
                for row in await tx.fetch("SELECT * FROM " + str(table)):
                    rows.extend(_readable(value) for value in row.values())
        return "\n".join(rows)


@asynccontextmanager
async def identity_world(databases: Databases, folder: Path) -> AsyncIterator[World]:
    """A world with nobody in it."""
    settings = write_files(folder)
    context = context_of(settings, "preceptor")
    async with databases.fresh("identity", SERVICE.migrations) as url:
        database = await Database.connect(url, events=EventWriter("identity", catalogue()))
        try:
            yield World(url, folder, database, context, TokenVerifier(folder / "public.json", "preceptor"))
        finally:
            await database.close()
            context.passwords.close()


def write_files(folder: Path) -> IdentitySettings:
    """Fresh key files, and settings that name them."""
    key = OKPKey.generate_key("Ed25519", {"use": "sig", "kid": str(uuid4())})
    (folder / "private.json").write_text(json.dumps({"keys": [key.as_dict(private=True)]}))
    (folder / "public.json").write_text(json.dumps({"keys": [public_jwk(key)]}))
    (folder / "kek").write_bytes(bytes(range(32)))
    return IdentitySettings.model_validate(
        {
            "signing_keys_file": folder / "private.json",
            "kek_file": folder / "kek",
            "argon2_memory_kib": 64,
            "hashing_queue": 200,
            "hashing_queue_each": 200,
        }
    )


def _readable(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace") + " " + value.hex()
    return str(value) if not isinstance(value, UUID) else value.hex
