"""When a task stops and what counts as agreement is the project's: from its vendor to scoring, and in results."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import (
    STOP_REASON_ALL_IN,
    STOP_REASON_CONFIDENT,
    STOP_REASON_NOT_WORTH_IT,
    STOP_REASON_UNSPECIFIED,
)
from preceptor.tasking.v1.batch_pb2 import (
    TASK_STATE_AVAILABLE,
    TASK_STATE_RESOLVED,
    TASK_STATE_UNRESOLVED,
    ListResultsRequest,
    TaskResult,
)
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.tasking.v1.project_pb2 import CreateProjectRequest, GetProjectRequest, Project
from preceptor.work.v1.work_pb2 import DOMAIN_LAW, TASK_TYPE_PAIRWISE_PREFERENCE, Redundancy

from chassis.db import Database
from chassis.ids import name
from services.tasking.api.batch import list_results
from services.tasking.api.project import create_project, get_project
from tests.support.databases import Databases
from tests.support.scoring import open_database, react, rows, scored_events
from tests.support.tasking import World, answer, vendor_caller

STATED = "SELECT DISTINCT stop_confidence, least_worth, agreed_confidence FROM task_state"


@pytest_asyncio.fixture(loop_scope="session")
async def scoring(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def results(world: World, batch_id: UUID) -> list[TaskResult]:
    caller = vendor_caller(world.vendor_id)
    request = ListResultsRequest(parent=name("batches", batch_id))
    return list((await world.do(lambda tx: list_results(world.call(caller, tx), request))).results)


async def told(
    world: World, scoring: Database, preferences: Sequence[int], *, most: int = 0, **rule: float
) -> TaskResult:
    """The result of a task that gets these answers one by one, which are all that it wants, or at most so many."""
    project = await world.project(len(preferences), most or len(preferences), **rule)  # type: ignore[arg-type]
    batch_id = await world.opened(1, project)
    for preference in preferences:
        await world.submit(await world.lease(), answer(preference))
        await react(scoring, (await world.events(AnswerSubmitted))[-1:])
        await world.scores((await scored_events(scoring))[-1])
    [result] = await results(world, batch_id)
    return result


async def test_a_task_below_the_confidence_asked_for_is_unresolved_and_tells_why_it_stopped(
    world: World, scoring: Database
) -> None:
    result = await told(world, scoring, (-1, 1, -1), stop_confidence=0.9)
    assert (result.state, result.stop_reason) == (TASK_STATE_UNRESOLVED, STOP_REASON_ALL_IN)
    assert 0.5 < result.confidence < 0.9


async def test_what_counts_as_agreement_is_the_vendors_to_say(world: World, scoring: Database) -> None:
    result = await told(world, scoring, (-1, 1, -1), stop_confidence=0.9, agreed_confidence=0.5)
    assert (result.state, result.stop_reason) == (TASK_STATE_RESOLVED, STOP_REASON_ALL_IN)
    assert 0.5 < result.confidence < 0.9


async def test_a_task_stops_before_all_are_in_only_as_its_project_says(world: World, scoring: Database) -> None:
    dear = await told(world, scoring, (-1, -1), most=5, stop_confidence=0.9999, least_worth=0.9)
    assert (dear.state, dear.stop_reason) == (TASK_STATE_UNRESOLVED, STOP_REASON_NOT_WORTH_IT)
    [stated] = await rows(scoring, STATED)
    assert tuple(stated) == (0.9999, 0.9, None)
    asked = await told(world, scoring, (-1, -1), most=5, stop_confidence=0.9999)
    assert (asked.state, asked.stop_reason) == (TASK_STATE_AVAILABLE, STOP_REASON_UNSPECIFIED)


async def test_a_task_as_sure_as_was_asked_for_stops_and_is_resolved(world: World, scoring: Database) -> None:
    result = await told(world, scoring, (-1, -1), most=5, stop_confidence=0.6)
    assert (result.state, result.stop_reason) == (TASK_STATE_RESOLVED, STOP_REASON_CONFIDENT)
    assert result.confidence >= 0.6


@pytest.mark.parametrize(
    "rule",
    [
        Redundancy(min_answers=2, max_answers=5),
        Redundancy(min_answers=2, max_answers=5, stop_confidence=0.9),
        Redundancy(min_answers=2, max_answers=5, stop_confidence=0.9, least_worth=0.0, agreed_confidence=0.0),
        Redundancy(min_answers=2, max_answers=5, least_worth=0.001, agreed_confidence=0.7),
    ],
)
async def test_a_projects_rule_is_kept_as_it_was_stated_and_goes_with_each_answer(
    world: World, rule: Redundancy
) -> None:
    caller = vendor_caller(world.vendor_id)
    asked = Project(
        display_name="Haiku",
        task_type=TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=DOMAIN_LAW,
        locale="en",
        redundancy=rule,
        rate_card=name("rateCards", world.rate_card_id),
        tier="P1",
        expected_seconds=90,
    )
    request = CreateProjectRequest(project=asked)
    made = (await world.do(lambda tx: create_project(world.call(caller, tx), request))).project
    known = GetProjectRequest(name=made.name)
    assert (await world.do(lambda tx: get_project(world.call(caller, tx), known))).project.redundancy == rule
    await world.opened(1, UUID(made.name.removeprefix("projects/")))
    await world.answered()
    [event] = await world.events(AnswerSubmitted)
    assert event.redundancy == rule
