"""What a migration of scoring does with data of before."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from chassis.db import Database, Scope
from chassis.ids import new_id
from chassis.migrate import migrate
from services.scoring.aggregation.tasks.sheet import Kept, standing_votes
from services.scoring.service import SERVICE
from tests.support.databases import PASSWORD, Databases

_START = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
_VOTES = """
SELECT answer_id, question, task_id, vendor_id, expert_id, label, strength, surplus, submitted_at, hold_ms FROM vote
ORDER BY answer_id, question
"""


async def test_votes_that_were_rows_are_read_the_same_but_for_the_times_that_clients_claimed(
    databases: Databases, tmp_path: Path
) -> None:
    for file in sorted(SERVICE.migrations.glob("000[1-4]*.sql")):
        shutil.copy(file, tmp_path)
    project, vendor, expert, tasks = new_id(), new_id(), new_id(), [new_id(), new_id()]
    answers = [(new_id(), expert if n < 2 else new_id()) for n in range(5)]
    votes = [
        (answer, question, tasks[n % 2], vendor, by, label, n - 3, n == 4,
         _START + timedelta(seconds=n, microseconds=n), 60 * n)
        for n, (answer, by) in enumerate(answers) for question, label in enumerate((n % 3, None))
    ]  # fmt: skip
    async with databases.fresh("scoring", tmp_path) as url:
        database = await Database.connect(url)
        async with database.transaction(Scope.service()) as tx:
            await tx.execute("INSERT INTO project_state VALUES ($1, $2, 1, 1)", project, vendor)
            for task in tasks:
                await tx.execute(
                    "INSERT INTO task_state (task_id, vendor_id, project_id, batch_id, task_type, domain, min_answers,"
                    " max_answers, stop_confidence, questions, updated_at)"
                    " VALUES ($1, $2, $3, $3, 1, 1, 2, 5, 0.9, '', now())",
                    task, vendor, project,
                )  # fmt: skip
            for vote in votes:
                await tx.execute(
                    "INSERT INTO vote (answer_id, question, task_id, vendor_id, expert_id, label, strength, surplus,"
                    " submitted_at, seconds) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                    *vote,
                )
        name = url.rsplit("/", 1)[1].split("?")[0]
        await migrate(databases.admin_url, name, "scoring_app", PASSWORD, SERVICE.migrations)
        async with database.transaction(Scope.vendor(vendor)) as tx:
            unknown = [(*vote[:-1], 0) for vote in votes]
            assert [tuple(row) for row in await tx.fetch(_VOTES)] == sorted(unknown, key=lambda vote: vote[:2])
            kept = await tx.fetchrow("SELECT answers, stated FROM task_state WHERE task_id = $1", tasks[1])
        async with database.transaction(Scope.vendor(new_id())) as tx:
            assert await tx.fetch(_VOTES) == []
        await database.close()
    assert kept is not None
    read = [(*vote.key, vote.expert_id, vote.label, vote.strength, vote.submitted_at, vote.hold_ms)
            for vote in standing_votes(Kept(*kept), 2)]  # fmt: skip
    assert read == [(*vote[:2], vote[4], vote[5], vote[6], vote[8], 0) for vote in votes if vote[2] == tasks[1]]
