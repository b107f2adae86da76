"""`preceptor explain` and `preceptor agreement`, before a running platform."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from preceptor.scoring.v1.consensus_pb2 import RescoreProjectRequest, RescoreProjectResponse

from chassis.db import Scope
from chassis.ids import name, new_id
from tests.support.calls import bearer, invoke
from tests.support.cli import Cli
from tests.support.platform import Live, staff, vendor
from tests.support.scoring import Task, react_in
from tests.support.text import joined

# Nothing is to come of this task elsewhere: it is known to scoring alone.
_LEAVE_ALONE = "UPDATE project_state SET fit_at = 1000000 WHERE project_id = $1"


@pytest_asyncio.fixture
async def task(live: Live) -> Task:
    """A task that three experts have answered."""
    made = Task()
    async with live.database("scoring") as database, database.transaction(Scope.service()) as tx:
        await react_in(tx, [made.answer(preference) for preference in (-2, -2, 1)])
        await tx.execute(_LEAVE_ALONE, made.project_id)
        tx.pending.clear()
    return made


@pytest.fixture
def cli(live: Live, tmp_path: Path) -> Cli:
    return Cli.of(live.platform, tmp_path)


async def test_a_consensus_is_explained_with_its_arithmetic(cli: Cli, task: Task) -> None:
    told = (await cli.run("explain", str(task.task_id), "--json")).json
    table = await cli.run("explain", name("tasks", task.task_id))

    [question] = told["questions"]
    assert [vote["label"] for vote in question["votes"]] == ["A", "A", "B"]
    assert sum(question["probabilities"]) == pytest.approx(1)
    assert table.code == 0
    assert [line for line in question["arithmetic"] if line not in table.output] == []
    assert question["votes"][0]["answer"] in table.output


async def test_agreement_is_told_by_question(cli: Cli, task: Task) -> None:
    told = (await cli.run("agreement", str(task.project_id), "--json")).json
    table = await cli.run("agreement", name("projects", task.project_id), "--question", "preference")

    [row] = told["questions"]
    assert (row["question"], row["tasks"], row["votes"]) == ("preference", "1", "3")
    assert row["percent"]["value"] == pytest.approx(1 / 3)
    assert (table.code, "0.333" in table.output) == (0, True)


async def test_what_scoring_does_not_know_is_told_so(cli: Cli) -> None:
    task, project = [await cli.run(command, str(new_id())) for command in ("explain", "agreement")]
    wrong = await cli.run("agreement", "tasks/1")

    assert (task.code, task.errors.split(":")[0]) == (1, "CONSENSUS_NOT_FOUND")
    assert (project.code, project.errors.split(":")[0]) == (1, "PROJECT_NOT_SCORED")
    assert (wrong.code, "projects/0192" in joined(wrong.errors)) == (2, True)


async def test_a_repeated_request_for_a_rescore_gets_the_first_one(live: Live, task: Task) -> None:
    channel, method = live.method("/preceptor.scoring.v1.ConsensusService/RescoreProject")
    request = RescoreProjectRequest(project=name("projects", task.project_id), request_id=str(uuid4()))
    token = bearer(live.token(vendor(task.vendor_id)))

    first, again = [await invoke(channel, method, request, token) for _ in range(2)]

    assert RescoreProjectResponse.FromString(first) == RescoreProjectResponse.FromString(again)
    async with live.administrator("scoring") as database:
        asked = await database.fetchval("SELECT count(*) FROM rescore WHERE project_id = $1", task.project_id)
    assert asked == 1


async def test_experts_and_finance_are_not_let_in(live: Live, cli: Cli, task: Task) -> None:
    refused = await cli.run("explain", str(task.task_id), OPERATOR_TOKEN=live.token(staff("FINANCE")))
    allowed = await cli.run("explain", str(task.task_id), OPERATOR_TOKEN=live.token(staff("QUALITY_REVIEWER")))

    assert (refused.code, refused.errors.split(":")[0]) == (1, "CALLER_NOT_ALLOWED")
    assert allowed.code == 0
