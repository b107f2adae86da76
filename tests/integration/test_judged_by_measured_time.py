"""An answer is judged by how long its task was held, by the server's clock: tasking measures, scoring judges.

What the client says of its time is told to whoever decides, beside what was measured, and changes nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from uuid import UUID

import pytest
import pytest_asyncio
from google.protobuf.duration_pb2 import Duration
from preceptor.scoring.v1.events_pb2 import PROPOSAL_ACCEPT, PROPOSAL_REJECT, Judgement
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.tasking.v1.review_pb2 import Case, ListCasesRequest
from preceptor.work.v1.work_pb2 import TimeSpent

from chassis.db import Database
from services.scoring.domain.pace import LEAST_ANSWERS
from services.tasking.api.review import list_cases
from tests.support.databases import Databases
from tests.support.platform import staff
from tests.support.scoring import Task, open_database, react, rows, scored_events
from tests.support.tasking import World, answer

USUAL, QUICK = timedelta(seconds=90), timedelta(seconds=2)
LATE = timedelta(minutes=31)
RIGHT, WRONG = answer(-2), answer(3)
PACE = "SELECT paced FROM project_state"


@pytest_asyncio.fixture(loop_scope="session")
async def scoring(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def hand_in(
    world: World, expert: UUID, *, right: bool, took: timedelta, active: int = 80, idle: int = 0
) -> AnswerSubmitted:
    """An answer to the task that the expert gets, which they hold for so long; as it is told."""
    slot = await world.lease(expert)
    await world.pass_time(took, slot["slot_id"])
    claimed = TimeSpent(active_seconds=active, idle_seconds=idle)
    await world.submit(slot, RIGHT if right else WRONG, time_spent=claimed)
    return (await world.events(AnswerSubmitted))[-1]


async def usual_work(world: World, scoring: Database) -> None:
    """So much work of the usual pace, in a project that wants four answers a task, that the pace is known."""
    tasks = LEAST_ANSWERS // 3
    await world.opened(tasks + 1, await world.project(least=4, greatest=4))
    for expert in await world.experts(3):
        for _ in range(tasks + 1):
            await react(scoring, [await hand_in(world, expert, right=True, took=USUAL)])


async def judged(scoring: Database, told: AnswerSubmitted) -> Judgement:
    """How an answer is judged, in the newest scoring of its task."""
    await react(scoring, [told])
    [found] = [one for one in (await scored_events(scoring))[-1].judgements if one.answer_id == told.answer_id]
    return found


async def open_cases(world: World) -> list[Case]:
    caller = staff("QUALITY_REVIEWER")
    return list((await world.do(lambda tx: list_cases(world.call(caller, tx), ListCasesRequest()))).cases)


@pytest.mark.parametrize("active", [0, 1, 80, 604_800])
async def test_a_quick_wrong_answer_is_judged_alike_whatever_time_its_client_claims(
    world: World, scoring: Database, active: int
) -> None:
    await usual_work(world, scoring)
    quick = await hand_in(world, await world.expert(), right=False, took=QUICK, active=active)
    found = await judged(scoring, quick)
    assert (found.proposal, found.ground, found.payable_basis_points) == (PROPOSAL_REJECT, "TOO_FAST_3SD", 0)
    assert found.evidence.startswith("It came ")


@pytest.mark.parametrize("active", [0, 1])
async def test_a_wrong_answer_after_usual_time_is_accepted_though_its_client_claims_none(
    world: World, scoring: Database, active: int
) -> None:
    await usual_work(world, scoring)
    slow = await hand_in(world, await world.expert(), right=False, took=USUAL, active=active)
    assert (await judged(scoring, slow)).proposal == PROPOSAL_ACCEPT


async def test_a_late_answer_has_no_time_as_another_task_may_have_been_held_meanwhile(
    world: World, scoring: Database
) -> None:
    await usual_work(world, scoring)
    before = await rows(scoring, PACE)
    late = await hand_in(world, await world.expert(), right=False, took=LATE)
    assert not late.HasField("hold_duration")
    assert (await judged(scoring, late)).proposal == PROPOSAL_ACCEPT
    assert await rows(scoring, PACE) == before


async def test_what_clients_claimed_before_teaches_the_pace_nothing(scoring: Database) -> None:
    task = Task()
    told = task.answer(-2)
    told.time_spent.active_seconds = 90
    await react(scoring, [told])
    assert [row["paced"] for row in await rows(scoring, PACE)] == [0]
    measured = task.answer(-2)
    measured.hold_duration.CopyFrom(Duration())  # less than a microsecond is still a time
    await react(scoring, [measured])
    assert [row["paced"] for row in await rows(scoring, PACE)] == [1]
    kept = await rows(scoring, "SELECT hold_ms FROM vote ORDER BY submitted_at")
    assert [row["hold_ms"] for row in kept] == [0, 1]


async def test_a_reviewer_is_told_the_time_that_was_measured_and_that_the_client_claims_more(
    world: World, scoring: Database
) -> None:
    await usual_work(world, scoring)
    told = await hand_in(world, await world.expert(), right=False, took=QUICK, active=240, idle=20)
    await judged(scoring, told)
    await world.scores((await scored_events(scoring))[-1])
    [case] = await open_cases(world)
    assert case.ground == "TOO_FAST_3SD"
    assert case.time_spent == TimeSpent(active_seconds=240, idle_seconds=20)
    assert case.hold_duration == told.hold_duration
    assert "240 seconds of work and 20 without" in case.time_mismatch


async def test_holds_of_an_expert_never_overlap_so_no_second_is_counted_twice(world: World) -> None:
    await world.opened(4, await world.project(least=1))
    expert = await world.expert()
    first = await world.lease(expert)
    await world.pass_time(LATE, first["slot_id"])
    spans = []
    for _ in range(3):
        slot = await world.lease(expert)
        await world.submit(slot)
        told = (await world.events(AnswerSubmitted))[-1]
        end = told.submit_time.ToDatetime(slot["leased_at"].tzinfo)
        spans.append((end - told.hold_duration.ToTimedelta(), end))
    await world.submit(first)
    assert not (await world.events(AnswerSubmitted))[-1].HasField("hold_duration")
    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
