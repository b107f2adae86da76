"""The timer that fits projects on a real database: what it leaves is the batch's, and it tells what has changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import STOP_REASON_CONFIDENT, VERDICT_MORE_WANTED, VERDICT_RESOLVED
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.pairwise_preference_pb2 import SIDE_A, SIDE_B

from chassis.db import Database, Scope
from chassis.ids import new_id
from services.scoring.service import SERVICE
from tests.support.databases import Databases
from tests.support.fitted import assert_fitted
from tests.support.scoring import Task, fit, open_database, react, react_in, rows, scored_events
from tests.support.work import grades, rubric

RESCORES = "SELECT project_id, requested_by, done_at IS NOT NULL AS done, votes, tasks, changed FROM rescore ORDER BY 1"


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


def answers_of(project: UUID, chance: random.Random) -> list[AnswerSubmitted]:
    """Answers of six experts to ten tasks of a project; each expert changes their mind about one of them."""
    experts = [new_id() for _ in range(6)]
    tasks = [Task(project_id=project, greatest=6) for _ in range(10)]
    first = [task.answer(chance.choice((-2, -1, 1, 0)), expert=expert) for task in tasks for expert in experts]
    again = [task.answer(chance.choice((-1, 1)), expert=expert) for task, expert in zip(tasks, experts, strict=False)]
    return first + again


async def in_pieces(database: Database, answers: Sequence[AnswerSubmitted], sizes: Sequence[int]) -> None:
    """Reacts to answers batch by batch, in turns of these sizes."""
    at, turn = 0, 0
    while at < len(answers):
        await react(database, answers[at : at + sizes[turn % len(sizes)]])
        at, turn = at + sizes[turn % len(sizes)], turn + 1


@pytest.mark.parametrize("sizes", [(1,), (7, 1, 30), (200,)])
async def test_what_a_fit_leaves_is_the_batch_however_the_answers_came(
    database: Database, sizes: Sequence[int]
) -> None:
    chance = random.Random(len(sizes))
    answers = answers_of(new_id(), chance)
    repeated = answers + chance.sample(answers, 20)
    chance.shuffle(repeated)
    await in_pieces(database, repeated, sizes)
    assert await fit(database) == 1
    await assert_fitted(database, answers)


async def test_a_fit_between_answers_leaves_no_trace_after_the_next_one(database: Database) -> None:
    answers = answers_of(new_id(), random.Random(4))
    for before, after in pairwise((0, 20, 40, len(answers))):
        await react(database, answers[before:after])
        assert await fit(database) == 1
    await assert_fitted(database, answers)


async def test_each_set_of_labels_of_a_project_is_fitted_by_itself(database: Database) -> None:
    project, chance, experts = new_id(), random.Random(5), [new_id() for _ in range(4)]
    tasks = [Task(project_id=project, payload=rubric()) for _ in range(6)]
    answers = [
        task.submitted(
            grades(accuracy=chance.randint(1, 3), tone=chance.choice((1, 5, "?")), padding=chance.choice((0, "n/a"))),
            expert=expert,
        )
        for task in tasks
        for expert in experts
    ]
    await in_pieces(database, answers, (5,))
    assert await fit(database) == 1
    await assert_fitted(database, answers)


async def test_votes_that_were_all_taken_back_leave_nothing(database: Database) -> None:
    task, expert = Task(payload=rubric()), new_id()
    first = task.submitted(grades(accuracy=1, tone=5, padding=0), expert=expert)
    again = task.submitted(grades(accuracy="?", tone="?", padding=0), expert=expert)
    for answer in (first, again):
        await react(database, [answer])
    assert await fit(database) == 1
    await assert_fitted(database, [first, again])
    emptied = await rows(database, "SELECT state FROM pool WHERE total = 0")
    assert [row["state"] for row in emptied] == [b"", b""]


async def test_a_fit_closes_an_open_task_that_has_become_sure(database: Database) -> None:
    project = new_id()
    task = Task(project_id=project, stop_confidence=0.75)
    good, bad = [new_id() for _ in range(5)], new_id()
    await react(database, [task.answer(-1, expert=good[0]), task.answer(1, expert=bad)])
    for number in range(30):
        other, right = Task(project_id=project, least=6, greatest=6), (-1, 1)[number % 2]
        wrong = other.answer((-right, 0, right)[number % 3], expert=bad)
        await react(database, [*(other.answer(right, expert=expert) for expert in good), wrong])
    [open_one] = [told for told in await scored_events(database) if told.task_id == str(task.task_id)]
    assert open_one.verdict == VERDICT_MORE_WANTED
    assert await fit(database) == 1
    told = (await scored_events(database))[-1]
    assert (told.task_id, told.version, told.verdict) == (str(task.task_id), 2, VERDICT_RESOLVED)
    assert (told.answers_seen, told.answers_wanted, told.stop_reason) == (2, 2, STOP_REASON_CONFIDENT)
    assert told.result.pairwise_preference.preferred == SIDE_A
    assert len(told.judgements) == 2


async def test_a_closed_task_whose_label_changes_gets_a_new_version_and_no_other_is_touched(database: Database) -> None:
    project = new_id()
    task = Task(project_id=project, least=4, greatest=4)
    raters = [new_id() for _ in range(4)]
    await react(database, [task.answer((-1, 1, 1, 1)[n], expert=expert) for n, expert in enumerate(raters)])
    [told] = await scored_events(database)
    assert (told.verdict, told.result.pairwise_preference.preferred) == (VERDICT_RESOLVED, SIDE_B)
    others = [new_id() for _ in range(8)]
    for number in range(30):
        other, right = Task(project_id=project, least=9, greatest=9), (-1, 1)[number % 2]
        await react(database, [other.answer(right, expert=expert) for expert in (raters[0], *others)])
        wrong = [other.answer((-right, 0)[(number + n) % 2], expert=by) for n, by in enumerate(raters[1:])]
        await react(database, wrong)
    told_before = len(await scored_events(database))
    assert await fit(database) == 1
    [told] = (await scored_events(database))[told_before:]
    assert (told.task_id, told.version) == (str(task.task_id), 2)
    assert told.result.pairwise_preference.preferred == SIDE_A
    versions = await rows(database, "SELECT version FROM task_state WHERE task_id <> $1", task.task_id)
    assert {row["version"] for row in versions} == {2}
    assert [tuple(row) for row in await rows(database, RESCORES)] == [(project, "", True, 364, 31, 1)]


async def test_a_fit_is_kept_with_what_it_saw_and_changed(database: Database) -> None:
    tasks = [Task(), Task()]
    for task in tasks:
        await react(database, [task.answer(-1), task.answer(-1)])
    assert await fit(database) == 2
    kept = [tuple(row) for row in await rows(database, RESCORES)]
    assert kept == [(project, "", True, 2, 1, 0) for project in sorted(task.project_id for task in tasks)]


async def test_a_request_for_a_fit_is_answered_by_the_next_one(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-1), task.answer(-1)])
    ask = "INSERT INTO rescore (rescore_id, project_id, vendor_id, requested_by) VALUES ($1, $2, $3, 'users/1')"
    await rows(database, ask, new_id(), task.project_id, task.vendor_id)
    assert await fit(database) == 1
    assert [tuple(row) for row in await rows(database, RESCORES)] == [(task.project_id, "users/1", True, 2, 1, 0)]


async def test_a_project_is_fitted_again_when_its_votes_have_grown_by_a_tenth_and_not_before(
    database: Database,
) -> None:
    task = Task(greatest=30)
    await react(database, [task.answer(-1) for _ in range(20)])
    assert [await fit(database), await fit(database)] == [1, 0]
    late = [task.answer(-1, surplus=True) for _ in range(2)]
    fitted = []
    for answer in late:
        await react(database, [answer, answer])
        fitted.append(await fit(database))
    assert fitted == [0, 1]
    await react(database, late)  # a replay is nothing new
    assert await fit(database) == 0
    assert [row["fits"] for row in await rows(database, "SELECT fits FROM project_state")] == [2]


async def test_a_project_that_a_handler_works_on_is_left_for_the_next_time(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-1)])
    async with database.transaction(Scope.service()) as tx:
        await react_in(tx, [task.answer(-1)])
        assert await fit(database) == 0
    assert await fit(database) == 1


async def test_handlers_and_fits_at_the_same_time_on_one_project_lose_nothing(database: Database) -> None:
    answers = answers_of(new_id(), random.Random(6))
    await react(database, answers[:5])
    pieces = [answers[at : at + 8] for at in range(0, len(answers), 8)]
    fits = await asyncio.gather(*(react(database, piece) for piece in pieces), *(fit(database) for _ in range(3)))
    assert len(fits) == len(pieces) + 3
    [state] = await rows(database, "SELECT standing, fits FROM project_state")
    assert state["standing"] == 60
    await rows(database, "UPDATE project_state SET fit_at = 0")
    assert await fit(database) == 1
    await assert_fitted(database, answers)


def test_the_service_looks_for_projects_to_be_fitted() -> None:
    assert "fit-projects" in [timer.name for timer in SERVICE.timers]
