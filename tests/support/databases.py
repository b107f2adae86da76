"""Fresh databases for tests: migrated once a set of migrations, then copied."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from chassis.db import Database, Scope
from chassis.migrate import database_url, migrate, migrations
from deploy.local.secrets import Secrets

MIGRATIONS = Path(__file__).parent / "migrations"
PASSWORD = "of-the-tests"
_LIKE = "SELECT datname FROM pg_database WHERE starts_with(datname, $1)"
_EXISTS = "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)"


def share_passwords(home: Path) -> None:
    """Gives a platform's services the password that tests know: roles are the whole server's, so all must use one."""
    for service in ("identity", "tasking", "scoring", "payouts"):
        Secrets(home / "secrets").password(f"{service}_app").write_text(PASSWORD)


@dataclass
class Databases:
    """Databases on one server, which are gone when their test is."""

    admin_url: str
    run: str
    """What this test run's processes share; lower-case letters and digits."""
    _templates: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def fresh(self, service: str, folder: Path = MIGRATIONS) -> AsyncIterator[str]:
        """A migrated, empty database; gives its URL for the service's application role."""
        template = await self._template(service, folder)
        name = f"test_{service}_{uuid4().hex[:12]}"
        await self._admin("CREATE DATABASE " + name + " TEMPLATE " + template + " STRATEGY wal_log")
        # The copy has the template's objects and default privileges, not those on the database itself.
        await self._admin("GRANT CONNECT ON DATABASE " + name + " TO " + service + "_app")
        try:
            yield self.app_url(service, name)
        finally:
            await self._admin("DROP DATABASE " + name + " WITH (FORCE)")

    def app_url(self, service: str, database: str) -> str:
        """A database's URL for the service's application role."""
        parts = urlsplit(self.admin_url)
        host = f"{service}_app:{PASSWORD}@{parts.hostname}:{parts.port}"
        return database_url(urlunsplit(parts._replace(netloc=host)), database)

    async def analyze(self, database: Database) -> None:
        """Has the server look at all tables of a database, which only their owner may ask for."""
        async with database.transaction(Scope.service()) as tx:
            name = await tx.fetchval("SELECT current_database()")
        connection = await asyncpg.connect(self.admin_url, database=name)
        try:
            await connection.execute("ANALYZE")
        finally:
            await connection.close()

    async def drop_templates(self) -> None:
        """Drops what `fresh` copied from, whichever process of the run made it."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            for (name,) in await connection.fetch(_LIKE, self._prefix):
                await connection.execute("DROP DATABASE IF EXISTS " + name + " WITH (FORCE)")
        finally:
            await connection.close()

    @property
    def _prefix(self) -> str:
        return f"template_{self.run}_"

    async def _template(self, service: str, folder: Path) -> str:
        """The name of a migrated database that nobody is connected to; made by the first who asks in the whole run."""
        digest = hashlib.sha256("".join(m.sha256 for m in migrations(folder)).encode()).hexdigest()[:8]
        name = f"{self._prefix}{service}_{digest}"
        if name not in self._templates:
            connection = await asyncpg.connect(self.admin_url)
            try:
                await connection.execute("SELECT pg_advisory_lock(hashtext($1))", name)
                if not await connection.fetchval(_EXISTS, name):
                    await migrate(self.admin_url, f"{name}_new", f"{service}_app", PASSWORD, folder)
                    await connection.execute("ALTER DATABASE " + name + "_new RENAME TO " + name)
            finally:
                await connection.close()
            self._templates.add(name)
        return name

    async def _admin(self, sql: str) -> None:
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(sql)
        finally:
            await connection.close()
