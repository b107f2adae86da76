"""PostgreSQL by TLS: whoever cannot prove to be ours is refused, whoever speaks in the clear is not let in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from chassis.db import Database, DatabaseRefused, DatabaseUnavailable, DatabaseUntrusted, Scope, connect_alone
from chassis.migrate import migrate
from chassis.tls import checked_url
from deploy.local.processes import Supervisor
from deploy.local.stack import Backends
from tests.support.databases import MIGRATIONS
from tests.support.secure.certificates import Authority
from tests.support.secure.postgres import SecurePostgres, start_secure_postgres


@dataclass(frozen=True)
class World:
    """A server that speaks TLS alone, and an authority that has nothing to do with it."""

    postgres: SecurePostgres
    stranger: Authority

    @property
    def plain(self) -> str:
        """The administrator's URL without a word of TLS."""
        return self.postgres.server.url

    def url(self, authority: Authority | None = None, host: str = "127.0.0.1") -> str:
        """The administrator's URL, trusting an authority, by a name of the host."""
        ca_file = (authority or self.postgres.authority).ca_file
        told = f"sslmode=verify-full&sslrootcert={quote(str(ca_file))}"
        return checked_url(f"{self.plain.replace('127.0.0.1', host)}?{told}")


@pytest_asyncio.fixture(scope="module")
async def world(backend_data: Path) -> AsyncIterator[World]:
    folder = backend_data / "postgres-tls"
    authority, stranger = Authority(folder / "ours"), Authority(folder / "a stranger's")
    async with Supervisor(folder / "logs") as supervisor:
        yield World(await start_secure_postgres(supervisor, folder / "data", authority), stranger)


async def test_a_verified_connection_is_encrypted(world: World) -> None:
    database = await Database.connect(world.url(), max_size=1)
    async with database.transaction(Scope.service()) as tx:
        row = await tx.fetchrow("SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await database.close()

    assert row is not None
    assert (row["ssl"], row["version"]) == (True, "TLSv1.3")


async def test_migrations_go_by_tls_to_whichever_database_they_make(world: World) -> None:
    assert await migrate(world.url(), "made_by_tls", "identity_app", "secret", MIGRATIONS)


async def test_a_server_of_another_authority_is_not_trusted(world: World) -> None:
    await is_refused(world.url(world.stranger), DatabaseUntrusted, "certificate verify failed")


async def test_a_server_of_another_name_is_not_trusted(world: World) -> None:
    await is_refused(world.url(host="localhost"), DatabaseUntrusted, "Hostname mismatch")


async def test_who_speaks_in_the_clear_is_not_let_in(world: World) -> None:
    await is_refused(f"{world.plain}?sslmode=disable", DatabaseRefused, "no encryption")


async def test_a_wrong_password_is_told_as_such(world: World) -> None:
    wrong = world.url().replace(world.postgres.server.password, "wrong")

    await is_refused(wrong, DatabaseRefused, "password authentication failed")


async def test_a_server_without_tls_is_not_spoken_to_in_the_clear(world: World, backends: Backends) -> None:
    """The server of the other tests has no TLS; nothing that it answers makes us fall back."""
    ca_file = world.postgres.authority.ca_file

    await is_refused(checked_url(backends.postgres_url, ca_file), DatabaseUnavailable, "rejected SSL upgrade")


async def is_refused(url: str, error: type[DatabaseUnavailable], why: str) -> None:
    """By the pool, by single connections and by migrations alike, each with the reason as the cause."""
    with pytest.raises(error) as by_pool:
        await Database.connect(url, max_size=1)
    with pytest.raises(error) as alone:
        await connect_alone(url)
    with pytest.raises(error) as by_migration:
        await migrate(url, "never_made", "never_app", "secret", MIGRATIONS)
    assert {type(refused.value) for refused in (by_pool, alone, by_migration)} == {error}
    for refused in (by_pool, alone, by_migration):
        assert why in str(refused.value.__cause__)
