"""Routes on a real database: what TaskScored says of whom the next word is wanted, as answers come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import (
    STOP_REASON_NO_QUORUM,
    VERDICT_RESOLVED,
    VERDICT_UNRESOLVED,
    TaskScored,
)
from preceptor.work.v1.fact_check_pb2 import (
    FACT_VERDICT_CONTRADICTED,
    FACT_VERDICT_SUPPORTED,
    FACT_VERDICT_UNVERIFIABLE,
)
from preceptor.work.v1.work_pb2 import (
    ROUTE_ANYONE,
    ROUTE_SENIOR,
    ROUTE_UNSPECIFIED,
    ROUTE_VENDOR,
    Answer,
    LabelCount,
    OpenQuestion,
)

from chassis.db import Database
from services.scoring.aggregation.types.fact_check import LABELS as FACT_CHECK_LABELS
from tests.support.databases import Databases
from tests.support.scoring import Task, open_database, react, scored_events
from tests.support.work import claims, grades, rubric, verdicts

TRUE, FALSE, UNCLEAR = FACT_VERDICT_SUPPORTED, FACT_VERDICT_CONTRADICTED, FACT_VERDICT_UNVERIFIABLE


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def scored(database: Database, task: Task, answers: Sequence[Answer]) -> list[TaskScored]:
    """What is told after each of these answers."""
    for answer in answers:
        await react(database, [task.submitted(answer)])
    return await scored_events(database)


def disputed() -> list[Answer]:
    """Four who agree on the first claim and not on the second."""
    return [verdicts(c1=TRUE, c2=second) for second in (TRUE, FALSE, UNCLEAR, FALSE)]


async def test_where_all_agree_one_more_of_anybody_is_wanted_and_then_nobody(database: Database) -> None:
    told = await scored(database, Task(payload=claims("c1")), [verdicts(c1=TRUE)] * 2)
    assert [(each.route, each.skill_wanted) for each in told] == [(ROUTE_ANYONE, 0), (ROUTE_UNSPECIFIED, 0)]
    assert told[-1].verdict == VERDICT_RESOLVED
    assert not told[-1].HasField("open_questions")


async def test_a_dispute_goes_to_a_senior_when_few_answers_are_left_and_unsettled_to_the_vendor(
    database: Database,
) -> None:
    task = Task(payload=claims("c1", "c2"), greatest=4, stop_confidence=0.95)
    told = await scored(database, task, disputed())
    assert [each.route for each in told] == [ROUTE_ANYONE, ROUTE_ANYONE, ROUTE_SENIOR, ROUTE_VENDOR]
    wanted = [each.skill_wanted for each in told]
    assert wanted == [0, 0, pytest.approx(0.85, abs=0.05), 0]
    assert told[-1].verdict == VERDICT_UNRESOLVED
    assert list(told[-1].open_questions.questions) == [
        OpenQuestion(
            id="c2",
            said=[
                LabelCount(label="CONTRADICTED", experts=2),
                LabelCount(label="UNVERIFIABLE", experts=1),
                LabelCount(label="SUPPORTED", experts=1),
            ],
            labels=FACT_CHECK_LABELS,
        )
    ]


async def test_a_matter_of_taste_is_not_put_to_the_vendor(database: Database) -> None:
    task = Task(greatest=4)
    for preference in (-1, 1, -1, 1):
        await react(database, [task.answer(preference)])
    *_, before, last = await scored_events(database)
    assert (before.route, last.verdict, last.route) == (ROUTE_ANYONE, VERDICT_UNRESOLVED, ROUTE_UNSPECIFIED)


async def test_what_most_cannot_assess_goes_to_a_senior_and_then_to_the_vendor(database: Database) -> None:
    unclear = grades(accuracy="?", tone=1, padding=0)
    told = await scored(database, Task(payload=rubric(), greatest=4), [unclear] * 3)
    assert [each.route for each in told] == [ROUTE_ANYONE, ROUTE_SENIOR, ROUTE_VENDOR]
    assert told[-1].stop_reason == STOP_REASON_NO_QUORUM
    [asked] = told[-1].open_questions.questions
    assert (asked.id, list(asked.said), asked.cannot_assess) == ("accuracy", [], 3)
