"""Plans of statements whose tables are empty at first and huge later."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from chassis.db import Database, Scope
from chassis.plans import PlanAges
from services.tasking.usecases import claim_task, slots
from tests.support.databases import Databases
from tests.support.statements import kept_plan, prepare, reads, statements_of

SERVICES = Path(__file__).parents[2] / "services"

READ_ALL = {
    "chassis.bus.relay._DEPTH": "counts the outbox",
    "chassis.ops.state._TELL": "a row a process",
    "chassis.ops.state._HEARD": "a row a process",
    "chassis.ops.state._WAITING": "counts the outbox",
    "services.scoring.usecases.calibrate_project._LOSSES": "sums what gold has cost in all projects",
    "services.scoring.usecases.flag_raters._DUE": "sums the votes of all projects",
    "services.scoring.usecases.flag_raters._LOOKED": "one row",
    "services.scoring.usecases.flag_raters._NEWEST": "looks at the newest tasks, now and then",
    "services.scoring.usecases.flag_raters._FLAG": "against the flags that a person has lifted, which are few",
    "services.payouts.usecases.list_deposits.DEPOSIT": "the part that two statements begin with",
    "services.payouts.usecases.run_payouts._LAST": "one row",
    "services.payouts.usecases.trace_task._LINES": "asked by a person about one task",
    "services.payouts.usecases.verify_ledger._COUNTS": "counts the ledger",
}
"""Statements that read all of a table, and why they may."""


@pytest.mark.parametrize("service", ["identity", "tasking", "scoring", "payouts"])
async def test_a_statement_first_planned_on_an_empty_database_reads_no_whole_table(
    databases: Databases, service: str
) -> None:
    statements = {**statements_of("chassis"), **statements_of(f"services.{service}")}
    reading_all = set()
    async with databases.fresh(service, SERVICES / service / "migrations") as url:
        conn = await asyncpg.connect(url, statement_cache_size=0)
        for name, sql in statements.items():
            if name.startswith("chassis.migrate."):
                continue  # asked of the server's catalogue, by the administrator
            try:
                await prepare(conn, sql)
            except asyncpg.PostgresSyntaxError:
                continue  # a part of a statement
            if any(index == "all of it" for _, index in reads(await kept_plan(conn, sql))):
                reading_all.add(name)
            await conn.execute("DEALLOCATE kept")
        await conn.close()
    expected = {name for name in READ_ALL if name.startswith(("chassis.", f"services.{service}."))}
    assert reading_all == expected


@asynccontextmanager
async def closing_pool(database: Database) -> AsyncIterator[Database]:
    try:
        yield database
    finally:
        await database.close()


FILL = """
WITH p AS (
    INSERT INTO project (project_id, vendor_id, display_name, task_type, domain, locale, instructions, required_claims,
                         min_answers, max_answers, stop_confidence, rate_card_id, tier, expected_seconds, lease)
    VALUES (gen_random_uuid(), gen_random_uuid(), 'p', 1, 1, 'en', '', '{}', 1, 1, 1, gen_random_uuid(), 'P1', 1, '1 h')
    RETURNING project_id, vendor_id),
b AS (
    INSERT INTO batch (batch_id, vendor_id, project_id, batch_key)
    SELECT gen_random_uuid(), vendor_id, project_id, 'b' FROM p RETURNING *),
t AS (
    INSERT INTO task (task_id, batch_id, project_id, vendor_id, position, item_key, payload, payload_hash,
                      answers_wanted)
    SELECT gen_random_uuid(), batch_id, project_id, vendor_id, n, n, '', '', 1 FROM b, generate_series(1, 30000) AS n
    RETURNING *)
INSERT INTO slot (slot_id, task_id, batch_id, project_id, vendor_id, expert_id, swapped, expires_at, state,
                  rate_card_version, tier, price_minor, currency, fee_basis_points)
SELECT gen_random_uuid(), task_id, batch_id, project_id, vendor_id, gen_random_uuid(), false, now(),
       CASE WHEN position % 100 = 0 THEN 1 ELSE 2 END, 1, 'P1', 1, 'USD', 0
FROM t
"""


@pytest.mark.parametrize(
    ("sql", "right"),
    [(claim_task._HELD, ("slot", "slot_live")), (slots._END, ("slot", "slot_pkey"))],
    ids=["the look for a held lease", "the end of leases"],
)
async def test_a_connection_gets_over_the_plan_that_it_made_when_there_was_nothing_to_read(
    databases: Databases, sql: str, right: tuple[str, str]
) -> None:
    now = [0.0]
    async with databases.fresh("tasking", SERVICES / "tasking" / "migrations") as url:
        plans = PlanAges(lambda: now[0])
        async with closing_pool(await Database.connect(url, max_size=1, plans=plans)) as database:
            await first_planned_on_nothing(database, sql)
            now[0] += 2.0
            async with database.transaction(Scope.service()) as tx:
                assert right in reads(await kept_plan(tx.conn, sql))


async def test_a_transaction_after_plans_are_made_anew_may_still_choose_its_isolation(databases: Databases) -> None:
    """In one round trip with what opens the transaction, it counted as its first query: an explanation was INTERNAL."""
    now = [0.0]
    async with databases.fresh("tasking", SERVICES / "tasking" / "migrations") as url:
        plans = PlanAges(lambda: now[0])
        async with closing_pool(await Database.connect(url, max_size=1, plans=plans)) as database:
            now[0] += 60.0
            async with database.transaction(Scope.service()) as tx:
                await tx.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                assert await tx.fetchval("SHOW transaction_isolation") == "repeatable read"


async def first_planned_on_nothing(database: Database, sql: str) -> None:
    async with database.transaction(Scope.service()) as tx:
        await prepare(tx.conn, sql)
        await kept_plan(tx.conn, sql)
        await tx.execute(FILL)
