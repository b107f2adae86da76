"""Rubrics and fact checks at submit: what does not fit is refused whole, what fits is told with its questions."""

from __future__ import annotations

import pytest
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.fact_check_pb2 import FACT_VERDICT_CONTRADICTED, FACT_VERDICT_SUPPORTED
from preceptor.work.v1.work_pb2 import TASK_TYPE_FACT_CHECK, TASK_TYPE_RUBRIC_GRADE, Answer, Payload

from chassis.contract.answers import questions_of
from chassis.contract.work import task_type_of
from chassis.errors import InvalidArgument
from tests.support.tasking import World, answer, new_task
from tests.support.work import claims, grades, rubric, verdicts

RIGHT = (
    (rubric(), grades(accuracy=3, tone="n/a", padding="?")),
    (claims("c1", "c2"), verdicts(c1=FACT_VERDICT_SUPPORTED, c2=FACT_VERDICT_CONTRADICTED)),
)


async def opened(world: World, asked: Payload) -> None:
    project = await world.project(task_type=task_type_of(asked))
    await world.opened([new_task("t", asked=asked)], project)


@pytest.mark.parametrize(("asked", "told"), RIGHT)
async def test_an_answer_is_told_with_the_questions_of_its_task(world: World, asked: Payload, told: Answer) -> None:
    await opened(world, asked)
    await world.submit(await world.lease(), told)
    [event] = await world.events(AnswerSubmitted)
    assert event.task_type in (TASK_TYPE_RUBRIC_GRADE, TASK_TYPE_FACT_CHECK)
    assert (event.answer, event.questions) == (told, questions_of(asked))


@pytest.mark.parametrize(
    ("asked", "told", "reason"),
    [
        (rubric(), answer(1), "ANSWER_TYPE_MISMATCH"),
        (rubric(), grades(accuracy=3, tone=4), "QUESTION_UNANSWERED"),
        (rubric(), grades(accuracy=9, tone=4, padding=0), "LEVEL_OUTSIDE_SCALE"),
        (claims("c1"), verdicts(c1=FACT_VERDICT_SUPPORTED, c2=FACT_VERDICT_SUPPORTED), "UNKNOWN_QUESTION"),
    ],
)
async def test_an_answer_that_does_not_fit_leaves_nothing_and_the_lease_runs_on(
    world: World, asked: Payload, told: Answer, reason: str
) -> None:
    await opened(world, asked)
    slot = await world.lease()
    with pytest.raises(InvalidArgument) as raised:
        await world.submit(slot, told)
    assert raised.value.reason == reason
    assert raised.value.field
    assert await world.rows("SELECT FROM answer") == await world.events(AnswerSubmitted) == []
    assert (await world.lease(slot["expert_id"]))["slot_id"] == slot["slot_id"]
