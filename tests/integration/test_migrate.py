"""Migrations on a real PostgreSQL: forward only, once, and a role that may only read and write rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from chassis.db import Database
from chassis.migrate import (
    CHASSIS_MIGRATIONS,
    MigrationChanged,
    MigrationMisnamed,
    RoleTooPowerful,
    migrate,
    schema_is_current,
)
from tests.support.databases import PASSWORD, Databases

TABLE = "CREATE TABLE thing (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);"


@pytest_asyncio.fixture
async def name(databases: Databases) -> AsyncIterator[str]:
    """The name of a database, and with ``_app`` of a role, that do not exist yet."""
    fresh = f"made_{uuid4().hex[:10]}"
    yield fresh
    admin = await asyncpg.connect(databases.admin_url)
    await admin.execute("DROP DATABASE IF EXISTS " + fresh + " WITH (FORCE)")
    await admin.execute("DROP ROLE IF EXISTS " + fresh + "_app")
    await admin.close()


async def run(databases: Databases, name: str, folder: Path) -> list[str]:
    return await migrate(databases.admin_url, name, f"{name}_app", PASSWORD, folder)


def url_of(databases: Databases, name: str) -> str:
    return databases.app_url(name, name)


CHASSIS = sorted(file.name for file in CHASSIS_MIGRATIONS.glob("*.sql"))


async def test_database_and_role_are_made_and_each_file_is_applied_once(
    databases: Databases, name: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    assert await run(databases, name, tmp_path) == [*CHASSIS, "0001_thing.sql"]
    (tmp_path / "0002_more.sql").write_text("ALTER TABLE thing ADD COLUMN more text;")
    assert await run(databases, name, tmp_path) == ["0002_more.sql"]
    assert await run(databases, name, tmp_path) == []


async def test_several_at_once_apply_each_file_once(databases: Databases, name: str, tmp_path: Path) -> None:
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    done = await asyncio.gather(*(run(databases, name, tmp_path) for _ in range(4)))
    assert sorted(done, key=len) == [[], [], [], [*CHASSIS, "0001_thing.sql"]]


async def test_the_role_reads_and_writes_rows_and_defines_nothing(
    databases: Databases, name: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    await run(databases, name, tmp_path)
    role = await asyncpg.connect(url_of(databases, name))
    await role.execute("INSERT INTO thing (what) VALUES ('a'); UPDATE thing SET what = 'b'; DELETE FROM thing")
    for forbidden in (
        "CREATE TABLE more (id int)",
        "CREATE TEMPORARY TABLE more (id int)",
        "DROP TABLE thing",
        "TRUNCATE thing",
        "ALTER TABLE thing DISABLE ROW LEVEL SECURITY",
        "DELETE FROM schema_migration",
        "CREATE SCHEMA more",
        "SET ROLE postgres",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await role.execute(forbidden)
    await role.close()


async def test_a_migration_may_take_rights_away(databases: Databases, name: str, tmp_path: Path) -> None:
    (tmp_path / "0001_thing.sql").write_text(TABLE + f"REVOKE UPDATE, DELETE ON thing FROM {name}_app;")
    await run(databases, name, tmp_path)
    role = await asyncpg.connect(url_of(databases, name))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await role.execute("UPDATE thing SET what = 'b'")
    await role.close()


async def test_a_file_that_changed_after_it_was_applied_is_an_error(
    databases: Databases, name: str, tmp_path: Path
) -> None:
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    await run(databases, name, tmp_path)
    (tmp_path / "0001_thing.sql").write_text(TABLE + " -- another thing")
    with pytest.raises(MigrationChanged):
        await run(databases, name, tmp_path)


async def test_a_file_that_fails_leaves_nothing_of_itself(databases: Databases, name: str, tmp_path: Path) -> None:
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half_done (id int); SELECT 1 / 0;")
    with pytest.raises(asyncpg.DivisionByZeroError):
        await run(databases, name, tmp_path)
    (tmp_path / "0002_bad.sql").write_text("CREATE TABLE half_done (id int);")
    assert await run(databases, name, tmp_path) == ["0002_bad.sql"]


@pytest.mark.parametrize("files", [("1_thing",), ("0001_Thing",), ("0001_one", "0001_two")])
async def test_misnamed_files_are_refused(
    databases: Databases, name: str, tmp_path: Path, files: tuple[str, ...]
) -> None:
    for file in files:
        (tmp_path / f"{file}.sql").write_text("SELECT 1;")
    with pytest.raises(MigrationMisnamed):
        await run(databases, name, tmp_path)


async def test_a_role_that_could_get_around_the_policies_is_refused(
    databases: Databases, name: str, tmp_path: Path
) -> None:
    admin = await asyncpg.connect(databases.admin_url)
    await admin.execute("CREATE ROLE " + name + "_app BYPASSRLS")
    await admin.close()
    with pytest.raises(RoleTooPowerful):
        await run(databases, name, tmp_path)


async def test_readiness_sees_a_schema_that_is_behind(databases: Databases, name: str, tmp_path: Path) -> None:
    await run(databases, name, tmp_path)
    database = await Database.connect(url_of(databases, name))
    assert await schema_is_current(database, tmp_path)
    (tmp_path / "0001_thing.sql").write_text(TABLE)
    assert not await schema_is_current(database, tmp_path)
    await database.close()
