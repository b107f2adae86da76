"""Migrations: databases and roles made when missing, then numbered SQL files, forward only, as the administrator.

Every service has its own database and its own application role, which reads and writes rows but defines nothing. Files
are named ``NNNN_name.sql``; the chassis' come first. Several runs at once wait for each other.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from chassis.db import Database, Scope, connect_alone
from chassis.errors import FailedPrecondition

if TYPE_CHECKING:
    import asyncpg

    Connection = asyncpg.Connection[asyncpg.Record]

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"
_NAME = re.compile(r"\d{4}_[a-z0-9_]+\.sql")
_LOCK = 0x70726563
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '10s'"

_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migration (
    origin     text        NOT NULL,
    name       text        NOT NULL,
    sha256     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (origin, name)
)
"""


class MigrationChanged(FailedPrecondition):
    """A migration that has been applied is no longer what it was, or is gone: write a new one instead."""

    reason = "MIGRATION_CHANGED"


class MigrationMisnamed(FailedPrecondition):
    """A migration's file name is not NNNN_name.sql, or its number is taken."""

    reason = "MIGRATION_MISNAMED"


class RoleTooPowerful(FailedPrecondition):
    """The application role could get around row-level security or define things: it must be an ordinary one."""

    reason = "ROLE_TOO_POWERFUL"


@dataclass(frozen=True, slots=True)
class Migration:
    """One file: the chassis' or the service's (its origin), by name, with its text."""

    origin: str
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The fingerprint of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


async def migrate(
    admin_url: str, database: str, app_role: str, app_password: str, service_migrations: Path
) -> list[str]:
    """Brings a service's database to the current schema; returns the names of the files it applied.

    Makes the role (its password is set anew each time) and the database when missing. Safe to repeat, and safe for
    several at once. Raises `DatabaseUnavailable`, `MigrationChanged`, `MigrationMisnamed`, `RoleTooPowerful`, or what
    PostgreSQL says of a file; then the files before that one stay applied.
    """
    wanted = migrations(service_migrations)
    await _make_database(admin_url, database, app_role, app_password)
    conn = await connect_alone(database_url(admin_url, database))
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
        await conn.execute(_LEDGER)
        await _run_formatted(conn, _GRANTS, app_role)
        return [await _apply(conn, migration) for migration in pending(await _applied(conn), wanted)]
    finally:
        await conn.close()


async def schema_is_current(database: Database, service_migrations: Path) -> bool:
    """Whether every migration of the chassis and the service is applied as it is here: a condition of readiness."""
    async with database.transaction(Scope.service()) as tx:
        if not await tx.fetchval("SELECT to_regclass('schema_migration') IS NOT NULL"):
            return False
        rows = await tx.fetch("SELECT origin, name, sha256 FROM schema_migration")
    have = {(row["origin"], row["name"], row["sha256"]) for row in rows}
    return all((m.origin, m.name, m.sha256) in have for m in migrations(service_migrations))


def migrations(service_migrations: Path) -> list[Migration]:
    """All migrations in their order, the chassis' first. Raises `MigrationMisnamed`."""
    return [*_read("chassis", CHASSIS_MIGRATIONS), *_read("service", service_migrations)]


def pending(applied: dict[tuple[str, str], str], wanted: Sequence[Migration]) -> list[Migration]:
    """Those that are not applied yet. Raises `MigrationChanged` if an applied one differs from its file."""
    for migration in wanted:
        if applied.get((migration.origin, migration.name), migration.sha256) != migration.sha256:
            raise MigrationChanged(migration=migration.name)
    return [m for m in wanted if (m.origin, m.name) not in applied]


def database_url(url: str, database: str) -> str:
    """The same server and user with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def _read(origin: str, folder: Path) -> list[Migration]:
    files = sorted(folder.glob("*.sql"))
    numbers = [file.name[:4] for file in files]
    for file in files:
        if not _NAME.fullmatch(file.name) or numbers.count(file.name[:4]) > 1:
            raise MigrationMisnamed(migration=file.name)
    return [Migration(origin, file.name, file.read_text(encoding="utf-8")) for file in files]


async def _applied(conn: Connection) -> dict[tuple[str, str], str]:
    rows = await conn.fetch("SELECT origin, name, sha256 FROM schema_migration")
    return {(row["origin"], row["name"]): row["sha256"] for row in rows}


async def _apply(conn: Connection, migration: Migration) -> str:
    """One file in one transaction, which gives up rather than queue behind a long lock and block everybody."""
    async with conn.transaction():
        await conn.execute(_LOCK_TIMEOUT)
        await conn.execute(migration.sql)
        await conn.execute(
            "INSERT INTO schema_migration (origin, name, sha256) VALUES ($1, $2, $3)",
            migration.origin,
            migration.name,
            migration.sha256,
        )
    return migration.name


_ROLE = """
SELECT format(
    CASE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = $1) THEN 'ALTER' ELSE 'CREATE' END
    || ' ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)
"""

_TOO_POWERFUL = """
SELECT rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication FROM pg_roles WHERE rolname = $1
"""

# A service reads rows by index. While a table is empty a plan that reads all of it costs nothing, and would be kept.
_READS_BY_INDEX = "SELECT format('ALTER ROLE %I SET enable_seqscan = off', $1::text)"

_DATABASE = """
SELECT format('CREATE DATABASE %I ENCODING ''UTF8'' TEMPLATE template0', $1::text)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = $1)
"""

# What the role may do with everything that migrations make, now and later. What it may not, a migration takes away.
_GRANTS = """
SELECT format($$
    REVOKE ALL ON SCHEMA public FROM PUBLIC;
    GRANT USAGE ON SCHEMA public TO %1$I;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %1$I;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO %1$I;
    ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO %1$I;
    GRANT SELECT ON schema_migration TO %1$I;
    REVOKE INSERT, UPDATE, DELETE ON schema_migration FROM %1$I;
    REVOKE ALL ON DATABASE %2$I FROM PUBLIC;
    GRANT CONNECT ON DATABASE %2$I TO %1$I;
$$, $1::text, current_database())
"""


async def _make_database(admin_url: str, database: str, role: str, password: str) -> None:
    """Makes role and database when missing. The lock is the whole server's: roles are shared by its databases."""
    conn = await connect_alone(admin_url)
    try:
        await conn.execute("SELECT pg_advisory_lock($1)", _LOCK)
        if await conn.fetchval(_TOO_POWERFUL, role):
            raise RoleTooPowerful(role=role)
        await _run_formatted(conn, _ROLE, role, password)
        await _run_formatted(conn, _READS_BY_INDEX, role)
        await _run_formatted(conn, _DATABASE, database)
    finally:
        await conn.close()


async def _run_formatted(conn: Connection, template: str, *args: str) -> None:
    """Runs the statement that the server itself formats: names and literals are quoted by who reads them."""
    if statement := await conn.fetchval(template, *args):
        await conn.execute(statement)
