"""A vendor decides what experts could not settle: question by question, for good; what experts are paid stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import VERDICT_RESOLVED, VERDICT_UNRESOLVED, TaskScored, Verdict
from preceptor.tasking.v1.batch_pb2 import (
    TASK_STATE_RESOLVED,
    TASK_STATE_UNRESOLVED,
    DecideQuestionsRequest,
    GetBatchRequest,
    ListResultsRequest,
    TaskResult,
)
from preceptor.tasking.v1.events_pb2 import AnswersDecided, QuestionsDecided
from preceptor.work.v1.work_pb2 import (
    ROUTE_UNSPECIFIED,
    ROUTE_VENDOR,
    LabelCount,
    OpenQuestion,
    OpenQuestions,
    QuestionDecision,
)

from chassis.db import Scope
from chassis.errors import ServiceError
from chassis.ids import name, new_id
from chassis.rpc.call import NotYours
from services.tasking.api import batch
from services.tasking.domain.questions import QuestionNotOpen, UnknownLabel
from tests.support.tasking import World, scored, vendor_caller

LABELS = ("SUPPORTED", "CONTRADICTED", "UNVERIFIABLE")
NAMED = LabelCount(label="SUPPORTED", experts=1)
FIRST, SECOND = (OpenQuestion(id=id_, said=[NAMED], cannot_assess=2, labels=LABELS) for id_ in ("c1", "c2"))
BOTH = [
    QuestionDecision(question="c1", label="UNVERIFIABLE", reason="Our source was taken down."),
    QuestionDecision(question="c2", label="SUPPORTED"),
]


def unsettled(task_id: UUID, version: int = 1, *asked: OpenQuestion) -> TaskScored:
    """All answers are in, and these questions are put to the vendor."""
    told = found(task_id, version, VERDICT_UNRESOLVED)
    told.route = ROUTE_VENDOR
    told.open_questions.CopyFrom(OpenQuestions(questions=asked or (FIRST, SECOND)))
    return told


def found(task_id: UUID, version: int, verdict: Verdict.ValueType) -> TaskScored:
    return scored(task_id, version, verdict, wanted=2)


@pytest_asyncio.fixture
async def task(world: World) -> UUID:
    """The only task: two have answered, both questions are open."""
    await world.opened(1, await world.project(least=2))
    answers = [await world.answered(expert) for expert in await world.experts(2)]
    task_id = cast(UUID, (await world.row("SELECT task_id FROM task"))["task_id"])
    told = unsettled(task_id)
    told.judgements.extend(scored(task_id, judged=[(id_, 10_000) for id_ in answers]).judgements)
    await world.scores(told)
    return task_id


async def decide(
    world: World, task_id: UUID, decisions: Sequence[QuestionDecision], vendor_id: UUID | None = None
) -> TaskResult:
    vendor = vendor_id or world.vendor_id
    request = DecideQuestionsRequest(task=name("tasks", task_id), decisions=decisions)
    async with world.database.transaction(Scope.vendor(vendor)) as tx:
        return (await batch.decide_questions(world.call(vendor_caller(vendor), tx), request)).result


async def refused(world: World, task_id: UUID, *decisions: QuestionDecision) -> ServiceError:
    """The refusal; nothing may have changed by it."""
    before = await listed(world)
    with pytest.raises(ServiceError) as refusal:
        await decide(world, task_id, decisions)
    assert await listed(world) == before
    return refusal.value


async def listed(world: World) -> TaskResult:
    """What the vendor reads of the only task."""
    batch_id = (await world.row("SELECT batch_id FROM batch"))["batch_id"]
    async with world.database.transaction(Scope.vendor(world.vendor_id)) as tx:
        call = world.call(vendor_caller(world.vendor_id), tx)
        [only] = (await batch.list_results(call, ListResultsRequest(parent=name("batches", batch_id)))).results
        counted = (await batch.get_batch(call, GetBatchRequest(name=name("batches", batch_id)))).batch
    assert (counted.resolved, counted.unresolved) == (
        only.state == TASK_STATE_RESOLVED,
        only.state == TASK_STATE_UNRESOLVED,
    )
    return only


async def test_what_the_vendor_decides_resolves_the_task_beside_what_experts_found(world: World, task: UUID) -> None:
    before = await listed(world)
    assert (before.state, before.route) == (TASK_STATE_UNRESOLVED, ROUTE_VENDOR)
    told = await decide(world, task, BOTH)
    assert told == await listed(world)
    assert (told.state, told.route, told.HasField("open_questions")) == (TASK_STATE_RESOLVED, ROUTE_UNSPECIFIED, False)
    assert list(told.decisions) == BOTH
    assert (told.result, told.confidence, told.version) == (before.result, before.confidence, before.version)


async def test_it_is_told_and_what_experts_are_paid_stays(world: World, task: UUID) -> None:
    paid = await world.events(AnswersDecided)
    assert [d.payable_basis_points for each in paid for d in each.decisions] == [10_000, 10_000]
    await decide(world, task, BOTH[:1])
    await decide(world, task, BOTH[1:])
    events = await world.events(QuestionsDecided)
    assert [(list(each.decisions), each.open) for each in events] == [(BOTH[:1], 1), (BOTH[1:], 0)]
    assert {(each.task_id, each.vendor_id) for each in events} == {(str(task), str(world.vendor_id))}
    assert await world.events(AnswersDecided) == paid


async def test_a_question_that_is_left_out_stays_open(world: World, task: UUID) -> None:
    told = await decide(world, task, BOTH[:1])
    assert (told.state, told.route) == (TASK_STATE_UNRESOLVED, ROUTE_VENDOR)
    assert list(told.open_questions.questions) == [SECOND]
    told = await decide(world, task, BOTH[1:])
    assert (told.state, list(told.decisions)) == (TASK_STATE_RESOLVED, BOTH)


async def test_a_decision_is_for_good(world: World, task: UUID) -> None:
    await decide(world, task, BOTH[:1])
    refusal = await refused(world, task, QuestionDecision(question="c1", label="SUPPORTED"))
    assert isinstance(refusal, QuestionNotOpen)
    assert refusal.field == "decisions[0].question"


async def test_one_question_is_decided_once_in_a_call_and_with_a_refusal_none_is(world: World, task: UUID) -> None:
    refusal = await refused(world, task, *BOTH, BOTH[0])
    assert isinstance(refusal, QuestionNotOpen)
    assert refusal.field == "decisions[2].question"


async def test_a_label_that_the_question_does_not_have_is_refused_with_those_that_it_has(
    world: World, task: UUID
) -> None:
    refusal = await refused(world, task, BOTH[0], QuestionDecision(question="c2", label="MAYBE"))
    assert isinstance(refusal, UnknownLabel)
    assert refusal.field == "decisions[1].label"
    assert refusal.metadata["labels"] == "SUPPORTED, CONTRADICTED, UNVERIFIABLE"


async def test_what_experts_are_still_asked_is_not_open(world: World) -> None:
    await world.opened(1)
    task_id = (await world.row("SELECT task_id FROM task"))["task_id"]
    assert isinstance(await refused(world, task_id, BOTH[0]), QuestionNotOpen)


async def test_another_vendors_task_is_refused_like_one_that_is_not_there(world: World, task: UUID) -> None:
    for vendor_id, task_id in ((new_id(), task), (world.vendor_id, new_id())):
        with pytest.raises(NotYours):
            await decide(world, task_id, BOTH, vendor_id)


async def test_a_late_answer_or_a_rescore_does_not_undo_it(world: World, task: UUID) -> None:
    await decide(world, task, BOTH)
    await world.scores(unsettled(task, 2))
    told = await listed(world)
    assert (told.state, told.route, told.version) == (TASK_STATE_RESOLVED, ROUTE_UNSPECIFIED, 2)
    assert (told.HasField("open_questions"), list(told.decisions)) == (False, BOTH)
    await world.scores(found(task, 3, VERDICT_UNRESOLVED))
    assert (await listed(world)).state == TASK_STATE_RESOLVED


async def test_what_a_rescore_opens_anew_is_asked(world: World, task: UUID) -> None:
    await world.scores(unsettled(task, 2, FIRST))
    await decide(world, task, BOTH[:1])
    await world.scores(unsettled(task, 3))
    told = await listed(world)
    assert (told.state, list(told.open_questions.questions)) == (TASK_STATE_UNRESOLVED, [SECOND])
    await world.scores(found(task, 4, VERDICT_RESOLVED))
    told = await listed(world)
    assert (told.state, list(told.decisions)) == (TASK_STATE_RESOLVED, BOTH[:1])
