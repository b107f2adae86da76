"""Transactions on a real PostgreSQL: scope, retry, deadline, and events that come only with a commit."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from chassis.db import Database, DatabaseUnavailable, Scope, TextUnstorable, Transaction, TransactionConflict
from chassis.errors import DeadlineExceeded
from tests.support.databases import Databases
from tests.support.reactions import completed

ADD = "INSERT INTO aggregate (key) SELECT unnest($1::text[])"


async def test_a_vendor_sees_its_own_rows_only_and_the_service_all(tasking_database: Database) -> None:
    mine, other = uuid4(), uuid4()
    async with tasking_database.transaction(Scope.service()) as tx:
        await tx.execute("INSERT INTO owned SELECT unnest($1::uuid[]), 'row'", [mine, other])
        assert await tx.fetchval("SELECT count(*) FROM owned") == 2
    async with tasking_database.transaction(Scope.vendor(mine)) as tx:
        assert [row["vendor_id"] for row in await tx.fetch("SELECT * FROM owned")] == [mine]


async def test_a_vendor_cannot_write_anothers_row(tasking_database: Database) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with tasking_database.transaction(Scope.vendor(uuid4())) as tx:
            await tx.execute("INSERT INTO owned VALUES ($1, 'row')", uuid4())


async def test_without_a_scope_nothing_is_visible(tasking_database: Database, tasking_url: str) -> None:
    async with tasking_database.transaction(Scope.service()) as tx:
        await tx.execute("INSERT INTO owned VALUES ($1, 'row')", uuid4())
    connection = await asyncpg.connect(tasking_url)
    assert await connection.fetchval("SELECT count(*) FROM owned") == 0
    await connection.close()


async def test_a_scope_ends_with_its_transaction(tasking_url: str) -> None:
    database = await Database.connect(tasking_url, max_size=1)
    async with database.transaction(Scope.service()) as tx:
        await tx.execute("INSERT INTO owned VALUES ($1, 'row')", uuid4())
    async with database.transaction(Scope.vendor(uuid4())) as tx:
        assert await tx.fetchval("SELECT count(*) FROM owned") == 0
    await database.close()


async def test_transactions_that_deadlock_are_run_again(tasking_database: Database) -> None:
    async with tasking_database.transaction(Scope.service()) as tx:
        await tx.execute(ADD, ["a", "b"])
    met = asyncio.Barrier(2)
    tries = 0

    async def lock(first: str, second: str) -> None:
        async def work(tx: Transaction) -> None:
            nonlocal tries
            tries += 1
            await tx.execute("UPDATE aggregate SET number = number + 1 WHERE key = $1", first)
            if tries <= 2:
                await met.wait()
            await tx.execute("UPDATE aggregate SET number = number + 1 WHERE key = $1", second)

        await tasking_database.run(Scope.service(), work)

    await asyncio.gather(lock("a", "b"), lock("b", "a"))
    async with tasking_database.transaction(Scope.service()) as tx:
        assert await tx.fetchval("SELECT array_agg(number) FROM aggregate") == [2, 2]
    assert tries == 3


async def test_a_conflict_that_does_not_end_is_told(tasking_database: Database) -> None:
    tries = 0

    async def work(_: Transaction) -> None:
        nonlocal tries
        tries += 1
        raise asyncpg.SerializationError

    with pytest.raises(TransactionConflict):
        await tasking_database.run(Scope.service(), work)
    assert tries == 6


async def test_a_statement_ends_at_its_timeout(tasking_database: Database) -> None:
    with pytest.raises(DeadlineExceeded):
        async with tasking_database.transaction(Scope.service(), statement_timeout=timedelta(milliseconds=20)) as tx:
            await tx.execute("SELECT pg_sleep(10)")
    async with tasking_database.transaction(Scope.service()) as tx:
        assert await tx.fetchval("SHOW statement_timeout") == "0"


async def test_an_error_that_the_body_swallows_does_not_pass_for_a_commit(tasking_database: Database) -> None:
    async def swallow(tx: Transaction) -> None:
        with suppress(asyncpg.UniqueViolationError):
            await tx.execute(ADD, ["a", "a"])

    with pytest.raises(RuntimeError, match="swallowed"):
        await tasking_database.run(Scope.service(), swallow)


async def test_other_errors_of_constraints_pass_through(tasking_database: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with tasking_database.transaction(Scope.service()) as tx:
            await tx.execute(ADD, ["a", "a"])


async def test_a_text_with_a_nul_is_refused_by_name_not_as_an_internal_error(tasking_database: Database) -> None:
    with pytest.raises(TextUnstorable):
        async with tasking_database.transaction(Scope.service()) as tx:
            await tx.fetchval("SELECT $1::text", "a\x00b")


async def test_events_come_with_the_commit_and_in_the_order_they_were_told(tasking_database: Database) -> None:
    woken = []
    tasking_database.on_commit_with_events = lambda: woken.append(True)
    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(completed("b1", 1), completed("b1", 2))
        tx.emit(completed("b1", 3))
        assert await tx.fetchval("SELECT count(*) FROM outbox") == 0
        assert not woken
    async with tasking_database.transaction(Scope.service()) as tx:
        rows = await tx.fetch("SELECT payload FROM outbox ORDER BY id")
    assert [row["payload"] for row in rows] == [completed("b1", number).SerializeToString() for number in (1, 2, 3)]
    assert woken == [True]


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        await Database.connect("postgresql://nobody@127.0.0.1:1/none")


async def test_a_connection_that_is_cut_is_unavailable_and_the_next_one_works(
    tasking_database: Database, databases: Databases
) -> None:
    async def work(tx: Transaction) -> None:
        await cut(databases, await tx.fetchval("SELECT pg_backend_pid()"))
        await tx.execute("SELECT 1")

    with pytest.raises(DatabaseUnavailable):
        await tasking_database.run(Scope.service(), work)
    await tasking_database.ping()


async def cut(databases: Databases, pid: int) -> None:
    admin = await asyncpg.connect(databases.admin_url)
    await admin.execute("SELECT pg_terminate_backend($1, 5000)", pid)
    await admin.close()


async def test_a_connection_whose_server_just_said_farewell_is_unavailable_and_given_to_nobody_else(
    tasking_url: str,
) -> None:
    """Between the server's last message and the end of the connection the driver refuses every statement."""
    database = await Database.connect(tasking_url, max_size=1)
    backends: list[int] = []

    async def hear_farewell(tx: Transaction) -> None:
        backends.append(await tx.fetchval("SELECT pg_backend_pid()"))
        raise asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress")

    with pytest.raises(DatabaseUnavailable):
        await database.run(Scope.service(), hear_farewell)
    async with database.transaction(Scope.service()) as tx:
        assert await tx.fetchval("SELECT pg_backend_pid()") not in backends
    await database.close()
