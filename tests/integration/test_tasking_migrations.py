"""What a migration of tasking does with data of before."""

from __future__ import annotations

import shutil
from pathlib import Path
from uuid import UUID

from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.migrate import migrate
from services.tasking.service import SERVICE
from tests.support.databases import PASSWORD, Databases

_PROJECT = """
INSERT INTO project (project_id, vendor_id, display_name, task_type, domain, locale, instructions, required_claims,
                     min_answers, max_answers, stop_confidence, rate_card_id, tier, expected_seconds, lease)
VALUES ($1, $1, 'P', 1, 1, 'en', repeat('x', 100000), '{}', 1, 2, 0.9, $1, 'P1', 60, '1 h')
"""
_BATCH = """
INSERT INTO batch (batch_id, vendor_id, project_id, batch_key, state, tasks, gold_items, price_minor, currency)
VALUES ($1, $1, $1, 'b', 3, 2, 1, 100, 'USD')
"""
_TASK = """
INSERT INTO task (task_id, batch_id, project_id, vendor_id, position, item_key, payload, payload_hash, answers_wanted,
                  kind, gold_key)
VALUES ($1, $2, $2, $2, 1, $3, $4, '', 1, CASE WHEN $5::bytea IS NULL THEN 1 ELSE 2 END, $5)
"""
_SLOT = """
INSERT INTO slot (slot_id, task_id, batch_id, project_id, vendor_id, expert_id, swapped, expires_at, rate_card_version,
                  tier, price_minor, currency, fee_basis_points)
VALUES ($1, $1, $2, $2, $2, $1, false, now() + interval '1 h', 1, 'P1', 100, 'USD', 0)
"""


async def test_tasks_that_could_be_handed_to_nobody_are_closed_and_their_holders_free(
    databases: Databases, tmp_path: Path
) -> None:
    for file in sorted(SERVICE.migrations.glob("*.sql")):
        if file.name < "0013":
            shutil.copy(file, tmp_path)
    home = new_id()
    made = {name: new_id() for name in ("huge", "right", "gold")}

    async def fill(tx: Transaction) -> None:
        await tx.execute(_PROJECT, home)
        await tx.execute(_BATCH, home)
        contents = {"huge": (b"x" * 4_100_000, None), "right": (b"x", None), "gold": (b"x", b"x" * 700_000)}
        for name, content in contents.items():
            await tx.execute(_TASK, made[name], home, name, *content)
        for name in ("huge", "right"):
            await tx.execute(_SLOT, made[name], home)

    async with databases.fresh("tasking", tmp_path) as url:
        database = await Database.connect(url)
        await database.run(Scope.service(), fill)
        name = url.rsplit("/", 1)[1].split("?")[0]
        await migrate(databases.admin_url, name, "tasking_app", PASSWORD, SERVICE.migrations)
        async with database.transaction(Scope.service()) as tx:
            tasks = await tx.fetch("SELECT item_key, kind, state, gold_key IS NULL AS keyless FROM task")
            slots: dict[UUID, int] = {row["task_id"]: row["state"] for row in await tx.fetch("SELECT * FROM slot")}
            batch = await tx.fetchrow("SELECT tasks, gold_items, closed FROM batch")
        await database.close()
    assert {tuple(row) for row in tasks} == {("huge", 1, 4, True), ("right", 1, 2, True), ("gold", 1, 4, True)}
    assert slots == {made["huge"]: 5, made["right"]: 1}
    assert batch is not None
    assert tuple(batch) == (3, 0, 2)
