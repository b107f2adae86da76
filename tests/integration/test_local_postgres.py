"""The embedded PostgreSQL: closed to strangers, and its data outlives kill -9."""

# ruff: noqa: ASYNC240  a stat holds nothing up here

import os
import stat
from pathlib import Path

import asyncpg
import pytest

from deploy.local.account import unprivileged
from deploy.local.postgres import binaries, start_postgres
from deploy.local.processes import Supervisor


async def test_data_outlives_a_kill_of_the_server(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        first = await start_postgres(supervisor, tmp_path / "postgres")
        await _run(first.url, "CREATE TABLE kept AS SELECT 42 AS answer")
        await first.process.kill()
        second = await start_postgres(supervisor, tmp_path / "postgres")
        assert await _run(second.url, "SELECT answer FROM kept") == 42


async def test_a_process_id_that_became_another_programs_does_not_stop_the_start(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        first = await start_postgres(supervisor, tmp_path / "postgres", fast=True)
        await first.process.kill()
        left = tmp_path / "postgres" / "cluster" / "postmaster.pid"
        left.write_text(left.read_text().replace(str(first.process.pid), str(os.getpid()), 1))
        second = await start_postgres(supervisor, tmp_path / "postgres", fast=True)
        assert await _run(second.url, "SELECT 1") == 1


async def test_a_half_made_cluster_is_made_again(tmp_path: Path) -> None:
    (tmp_path / "postgres" / "cluster.new").mkdir(parents=True)
    (tmp_path / "postgres" / "cluster.new" / "PG_VERSION").write_text("18\n")
    async with Supervisor(tmp_path / "logs") as supervisor:
        server = await start_postgres(supervisor, tmp_path / "postgres", fast=True)
        assert str(await _run(server.url, "SHOW server_version")).startswith("18.")


async def test_only_the_generated_password_opens_it_and_only_we_can_read_it(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        server = await start_postgres(supervisor, tmp_path / "postgres", fast=True)
        assert await _run(server.url, "SHOW password_encryption") == "scram-sha-256"
        assert await _run(server.url, "SHOW listen_addresses") == "127.0.0.1"
        assert stat.S_IMODE((tmp_path / "postgres" / "administrator-password").stat().st_mode) == 0o600
        with pytest.raises(asyncpg.InvalidPasswordError):
            await _run(server.url.replace(server.password, "guess"), "SELECT 1")
        assert server.password not in repr(server)


async def test_it_is_durable_unless_asked_to_be_fast(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        for fast, durable in ((False, "on"), (True, "off")):
            server = await start_postgres(supervisor, tmp_path / "postgres", fast=fast)
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                assert await _run(server.url, f"SHOW {setting}") == durable
            await supervisor.stop(server.process)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs it as another account")
async def test_root_needs_no_folder_opened_to_others(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "postgres").mkdir()
    account = unprivileged(tmp_path / "postgres", binaries())
    assert account is not None
    assert account.walks_through
    async with Supervisor(tmp_path / "logs") as supervisor:
        server = await start_postgres(supervisor, tmp_path / "postgres", fast=True)
        assert await _run(server.url, "SELECT 1") == 1
        assert Path(f"/proc/{server.process.pid}").stat().st_uid == account.uid
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


async def _run(url: str, sql: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()
