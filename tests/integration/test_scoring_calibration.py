"""Gold says how sure a project may be: kept by item, learned when the project is fitted, used from then on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.db import Database, Scope
from chassis.ids import new_id
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.tasks.sheet import Kept, standing_votes
from services.scoring.usecases.explain_consensus import explain_consensus
from tests.support.databases import Databases
from tests.support.scoring import Task, fit, open_database, react, rows, scored_events

EXPERTS = [new_id() for _ in range(4)]


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


def work(vendor: UUID, project: UUID, tasks: int = 6) -> list[AnswerSubmitted]:
    """Tasks of a project about which all agree."""
    asked = [Task(vendor_id=vendor, project_id=project, greatest=6) for _ in range(tasks)]
    return [task.answer((-2, 2)[n % 2], expert=expert) for n, task in enumerate(asked) for expert in EXPERTS]


def gold(vendor: UUID, project: UUID, right: Sequence[bool]) -> list[AnswerSubmitted]:
    """Gold items that all answer alike, and by their keys these are right; each is a task of its own for everybody."""
    answers = []
    for is_right in right:
        item = str(new_id())
        for expert in EXPERTS:
            task = Task(vendor_id=vendor, project_id=project)
            key = task.answer(-2 if is_right else 2).answer
            answers.append(task.gold(task.answer(-1).answer, key, expert=expert))
            answers[-1].gold_item_id = item
    return answers


async def temperature(database: Database, project: UUID) -> float | None:
    [found] = await rows(database, "SELECT temperature FROM pool WHERE project_id = $1", project)
    heat: float | None = found["temperature"]
    return heat


async def test_answers_to_an_item_are_kept_together_and_once(database: Database) -> None:
    vendor, project = new_id(), new_id()
    answers = gold(vendor, project, [True, False])
    await react(database, answers[:3])
    await react(database, answers)
    for row in await rows(database, "SELECT answers, stated FROM gold_item"):
        votes = standing_votes(Kept(*row), 1)
        assert {vote.expert_id for vote in votes} == set(EXPERTS)
        assert {(vote.label, vote.strength) for vote in votes} == {(0, -1)}
    assert await rows(database, "SELECT FROM gold_item", scope=Scope.vendor(new_id())) == []
    assert len(await rows(database, "SELECT FROM gold_item", scope=Scope.vendor(vendor))) == 2


async def test_a_project_whose_raters_agree_and_err_is_less_sure_after_its_fit(database: Database) -> None:
    calm, hasty, vendors = new_id(), new_id(), (new_id(), new_id())
    for vendor, project, right in ((vendors[0], calm, [True] * 12), (vendors[1], hasty, [True, False] * 6)):
        await react(database, gold(vendor, project, right))
        await react(database, work(vendor, project))
    await fit(database)
    sure = await temperature(database, calm), await temperature(database, hasty)
    assert sure[0] is not None
    assert sure[1] is not None
    assert sure[0] < sure[1]
    assert sure[1] > DEFAULT.temperature
    await react(database, work(vendors[0], calm, 1))
    await react(database, work(vendors[1], hasty, 1))
    *_, of_calm, of_hasty = await scored_events(database)
    assert of_calm.confidence > of_hasty.confidence


async def test_a_project_without_gold_is_as_sure_as_that_of_its_vendor_and_of_all_allow(database: Database) -> None:
    vendor, first, second, of_another = new_id(), new_id(), new_id(), new_id()
    await react(database, gold(vendor, first, [True, False] * 6))
    await react(database, work(vendor, first))
    await fit(database)
    await react(database, work(vendor, second))
    await react(database, work(new_id(), of_another))
    await fit(database)
    own, theirs, others = [await temperature(database, project) for project in (first, second, of_another)]
    assert own is not None
    assert theirs is not None
    assert others is not None
    assert own >= theirs >= others > DEFAULT.temperature


async def test_the_explanation_tells_the_temperature_of_the_project(database: Database) -> None:
    vendor, project = new_id(), new_id()
    await react(database, gold(vendor, project, [True, False] * 6))
    answers = work(vendor, project)
    await react(database, answers)
    await fit(database)
    async with database.transaction(Scope.vendor(vendor)) as tx:
        told = await explain_consensus(tx, UUID(answers[0].task_id))
    assert told.questions[0].temperature == pytest.approx(await temperature(database, project))


async def test_without_gold_nothing_is_learned(database: Database) -> None:
    project = new_id()
    await react(database, work(new_id(), project))
    await fit(database)
    assert await temperature(database, project) is None
    assert await rows(database, "SELECT FROM calibration") == []
