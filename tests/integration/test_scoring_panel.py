"""By project: the agreement panel, and having all scored anew; a vendor's own, and nobody else's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from uuid import UUID

import numpy as np
import pytest
import pytest_asyncio
from preceptor.scoring.v1.consensus_pb2 import (
    RESCORE_STATE_DONE,
    RESCORE_STATE_PENDING,
    GetAgreementRequest,
    GetAgreementResponse,
    GetRescoreRequest,
    Rescore,
    RescoreProjectRequest,
)

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import Call, Caller
from services.scoring.aggregation.tasks.agreement import distinct, panel
from services.scoring.api.panel import get_agreement, get_rescore, rescore_project
from services.scoring.usecases import fit_projects
from services.scoring.usecases import get_agreement as agreement
from services.scoring.usecases.get_rescore import RescoreNotFound
from services.scoring.usecases.rescore_project import ProjectNotScored
from tests.support.databases import Databases
from tests.support.platform import staff, vendor
from tests.support.scoring import CONTEXT, Task, open_database, react, rows
from tests.support.work import grades, rubric

OPS = staff("OPS")


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def agreement_of(
    database: Database, project_id: UUID, who: Caller = OPS, question: str = ""
) -> GetAgreementResponse:
    request = GetAgreementRequest(project=name("projects", project_id), question=question)
    return await get_agreement(Call(who, CONTEXT, database), request)


async def rescore(database: Database, project_id: UUID, who: Caller = OPS) -> Rescore:
    async with database.transaction(who.scope) as tx:
        request = RescoreProjectRequest(project=name("projects", project_id))
        return (await rescore_project(Call(who, CONTEXT, database, tx), request)).rescore


async def looked_up(database: Database, named: str, who: Caller = OPS) -> Rescore:
    async with database.transaction(who.scope) as tx:
        return (await get_rescore(Call(who, CONTEXT, database, tx), GetRescoreRequest(name=named))).rescore


async def fit(database: Database) -> int:
    async with database.transaction(Scope.service()) as tx:
        return await fit_projects.tick(tx, CONTEXT)


async def rubrics(database: Database) -> Task:
    """Three tasks of a project, each graded by the same three experts."""
    first, experts = Task(payload=rubric()), [new_id() for _ in range(3)]
    second, third = (Task(payload=rubric(), project_id=first.project_id, vendor_id=first.vendor_id) for _ in range(2))
    for task, tones in ((first, (2, 3, 3)), (second, (5, 5, "n/a")), (third, (1, 1, "?"))):
        answers = [grades(accuracy=3, tone=tone, padding=0) for tone in tones]
        await react(database, [task.submitted(a, expert=e) for a, e in zip(answers, experts, strict=True)])
    return first


async def test_a_question_that_tasks_have_in_common_is_one_row(database: Database) -> None:
    task = await rubrics(database)
    told = await agreement_of(database, task.project_id)
    assert [(each.question, each.tasks, each.raters, each.votes) for each in told.questions] == [
        ("accuracy", 3, 3, 9),
        ("padding", 3, 3, 9),
        ("tone", 3, 3, 8),
    ]
    assert told.left_out == 0
    assert list(told.questions[2].labels) == ["1", "2", "3", "4", "5", "NOT_APPLICABLE"]


async def test_the_figures_are_those_of_the_votes(database: Database) -> None:
    task = await rubrics(database)
    [tone] = (await agreement_of(database, task.project_id, question="tone")).questions
    votes = np.array([[0, 1, 2, 0, 0, 0], [0, 0, 0, 0, 2, 1], [2, 0, 0, 0, 0, 0]], dtype=float)
    expected = panel(distinct(votes), np.arange(1.0, 6.0))
    assert {figure: getattr(tone, figure).value for figure in expected} == {
        figure: pytest.approx(interval.value) for figure, interval in expected.items()
    }
    assert tone.percent.value == pytest.approx((1 / 3 + 1 / 3 + 1) / 3)


async def test_of_an_expert_s_answers_to_a_task_the_latest_counts(database: Database) -> None:
    task, expert = Task(), new_id()
    await react(database, [task.answer(2, expert=expert), task.answer(-1)])
    await react(database, [task.answer(-2, expert=expert)])
    [preference] = (await agreement_of(database, task.project_id)).questions
    assert (preference.question, preference.votes, preference.percent.value) == ("preference", 2, 1.0)


async def test_what_cannot_be_told_is_absent(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(2)])
    [preference] = (await agreement_of(database, task.project_id)).questions
    assert not preference.HasField("alpha_nominal")
    assert not preference.HasField("percent")
    assert not preference.HasField("ac2"), "A, TIE and B are no numbers"


@pytest.mark.parametrize("tasks", [1, 2, 4])
async def test_a_panel_of_too_few_tasks_tells_figures_without_an_interval(database: Database, tasks: int) -> None:
    project, vendor_id = new_id(), new_id()
    for _ in range(tasks):
        task = Task(project_id=project, vendor_id=vendor_id)
        await react(database, [task.answer(preference) for preference in (-2, -2, 1)])
    [preference] = (await agreement_of(database, project)).questions
    assert preference.tasks == tasks
    for figure in (preference.alpha_nominal, preference.ac1, preference.percent):
        assert not figure.HasField("low")
        assert not figure.HasField("high")


async def test_an_interval_is_told_once_tasks_enough_differ(database: Database) -> None:
    project, vendor_id = new_id(), new_id()
    for said in ((-2, -2, 1), (1, 1, 1), (-1, -1, -1), (2, 2, -1), (1, -1, 0), (-3, -3, 2)):
        task = Task(project_id=project, vendor_id=vendor_id)
        await react(database, [task.answer(preference) for preference in said])
    [preference] = (await agreement_of(database, project)).questions
    for figure in (preference.alpha_nominal, preference.ac1, preference.percent):
        assert figure.low < figure.value < figure.high


async def test_where_one_rater_answered_there_are_no_figures(database: Database) -> None:
    project, vendor_id, expert = new_id(), new_id(), new_id()
    for said in (-2, 1, 0, 2, -1, 3):
        await react(database, [Task(project_id=project, vendor_id=vendor_id).answer(said, expert=expert)])
    [preference] = (await agreement_of(database, project)).questions
    assert (preference.tasks, preference.raters, preference.votes) == (6, 1, 6)
    assert not any(preference.HasField(figure) for figure in ("alpha_nominal", "ac1", "percent"))


async def test_questions_beyond_the_most_are_counted_and_left_out(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(agreement, "MOST", 2)
    told = await agreement_of(database, (await rubrics(database)).project_id)
    assert ([each.question for each in told.questions], told.left_out) == (["accuracy", "padding"], 1)


async def test_a_rescore_is_pending_until_the_project_is_scored_anew(database: Database) -> None:
    task = await rubrics(database)
    await fit(database)
    assert await fit(database) == 0, "nothing is due"

    asked = await rescore(database, task.project_id, vendor(task.vendor_id))
    assert (asked.state, asked.project, asked.requested_by) == (
        RESCORE_STATE_PENDING,
        name("projects", task.project_id),
        "VENDOR",
    )
    assert await fit(database) == 1
    done = await looked_up(database, asked.name, vendor(task.vendor_id))
    assert (done.state, done.votes, done.tasks, done.changed) == (RESCORE_STATE_DONE, 26, 3, 0)
    assert done.done_time.ToDatetime() >= done.request_time.ToDatetime()
    assert await fit(database) == 0


async def test_who_asked_is_kept(database: Database) -> None:
    task = await rubrics(database)
    await rescore(database, task.project_id)
    [row] = await rows(database, "SELECT requested_by FROM rescore")
    assert row["requested_by"] == f"staff {OPS.subject}"


@pytest.mark.parametrize("method", [agreement_of, rescore])
async def test_a_foreign_project_and_a_missing_one_are_told_alike(
    database: Database, method: Callable[..., object]
) -> None:
    task = await rubrics(database)
    told = []
    for project_id in (task.project_id, new_id()):
        with pytest.raises(ProjectNotScored) as raised:
            await method(database, project_id, vendor())  # type: ignore[misc]  # both are asynchronous
        told.append((raised.value.message, raised.value.metadata, raised.value.field))
    assert told[0] == told[1]
    assert await rows(database, "SELECT FROM rescore") == []


async def test_a_foreign_rescore_is_not_found(database: Database) -> None:
    asked = await rescore(database, (await rubrics(database)).project_id)
    with pytest.raises(RescoreNotFound):
        await looked_up(database, asked.name, vendor())
