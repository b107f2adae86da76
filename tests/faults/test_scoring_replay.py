"""Answers in any order, repeated, in batches of any size, beside fits: the state in the end is that of the batch."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.db import Database
from chassis.ids import new_id
from tests.faults.size import LONG
from tests.support.databases import Databases
from tests.support.fitted import assert_fitted
from tests.support.scoring import Task, fit, open_database, react, rows, scored_events

EVENTS = 50_000 if LONG else 1_000
RUNS = 20 if LONG else 1
"""A million events in all, in the long form."""
HANDLERS = 3
EXPERTS = 40


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


def told(chance: random.Random) -> list[AnswerSubmitted]:
    """Answers to tasks of one project, of which one in ten is replaced by its expert and one in ten comes twice."""
    project, experts = new_id(), [new_id() for _ in range(EXPERTS)]
    answers: list[AnswerSubmitted] = []
    while len(answers) < EVENTS * 8 // 10:
        task, right = Task(project_id=project, least=3, greatest=5), chance.choice((-2, 2))
        for expert in chance.sample(experts, 5):
            answers.append(task.answer(chance.choice((right, right, right, -right, 0)), expert=expert))
            if chance.random() < 0.1:
                answers.append(task.answer(chance.choice((right, 0)), expert=expert))
    events = [*answers, *chance.sample(answers, len(answers) // 10)]
    chance.shuffle(events)
    return events


def batches(events: Sequence[AnswerSubmitted], chance: random.Random) -> list[Sequence[AnswerSubmitted]]:
    """The events in batches of one to five hundred, small ones more often."""
    cut: list[Sequence[AnswerSubmitted]] = []
    at = 0
    while at < len(events):
        size = chance.choice((1, 3, 20, 100, 500))
        cut.append(events[at : at + size])
        at += size
    return cut


async def handle(database: Database, waiting: list[Sequence[AnswerSubmitted]]) -> None:
    """Handles batches until none is left."""
    while waiting:
        await react(database, waiting.pop())


async def fit_beside(database: Database, waiting: Sequence[Sequence[AnswerSubmitted]]) -> None:
    """Lets the timer tick while there is something to be handled."""
    while waiting:
        await fit(database)
        await asyncio.sleep(0)


@pytest.mark.parametrize("seed", range(1, RUNS + 1))
async def test_whatever_came_how_the_state_after_a_fit_is_that_of_the_batch(database: Database, seed: int) -> None:
    chance = random.Random(seed)
    events = told(chance)
    waiting = batches(events, chance)
    handlers = [handle(database, waiting) for _ in range(HANDLERS)]
    await asyncio.gather(*handlers, fit_beside(database, waiting))
    await rows(database, "UPDATE project_state SET fit_at = 0")
    assert await fit(database) == 1
    await assert_fitted(database, events)
    await assert_versions_are_whole(database)
    before = await rows(database, "SELECT * FROM pool_rater ORDER BY expert_id")
    await react(database, events[: EVENTS // 2])
    assert await rows(database, "SELECT * FROM pool_rater ORDER BY expert_id") == before


async def assert_versions_are_whole(database: Database) -> None:
    """Asserts that each version of each task was told once, in order, and that the last is what is kept."""
    versions: defaultdict[UUID, list[int]] = defaultdict(list)
    for event in await scored_events(database):
        versions[UUID(event.task_id)].append(event.version)
    assert all(some == list(range(1, len(some) + 1)) for some in versions.values())
    kept = {row["task_id"]: row["version"] for row in await rows(database, "SELECT task_id, version FROM task_state")}
    assert kept == {task_id: some[-1] for task_id, some in versions.items()}
