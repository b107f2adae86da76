"""Gold: items whose answer is known wait in a bank, and become a task of their own for whom they are handed to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import TaskScored
from preceptor.tasking.v1.batch_pb2 import (
    BATCH_STATE_COMPLETED,
    NewTask,
    UploadBatchRequest,
    UploadChunk,
    UploadHeader,
)
from preceptor.tasking.v1.events_pb2 import AnswersDecided, AnswerSubmitted, BatchCompleted, BatchFundingRequested
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, ANSWER_KIND_WORK

from services.tasking.api.upload import upload_batch
from services.tasking.usecases.claim_task import claim_task
from services.tasking.usecases.complete_batches import tick as complete
from services.tasking.usecases.get_batch import get_batch
from services.tasking.usecases.list_results import list_results
from tests.support.tasking import (
    World,
    answer,
    new_task,
    payload,
    scored,
    vendor_caller,
)

KEY = answer(3)


@pytest_asyncio.fixture
async def world(world: World) -> World:
    """Gold at every claim, where there is any."""
    return world.sharing_gold(1.0, 1.0)


async def with_gold(world: World, tasks: int = 3, items: int = 1) -> UUID:
    """An open batch of tasks that get one answer each, and gold items."""
    rows = [new_task(f"t{n}", n) for n in range(tasks)]
    rows += [new_task(f"g{n}", tasks + n, gold=KEY) for n in range(items)]
    return await world.opened(rows, await world.project(1, 5))


async def is_gold(world: World, task_id: UUID) -> bool:
    return bool((await world.row("SELECT kind FROM task WHERE task_id = $1", task_id))["kind"] == 3)


async def test_gold_items_are_no_tasks_and_have_no_results(world: World) -> None:
    batch_id = await with_gold(world, tasks=2, items=3)
    batch = await world.do(lambda tx: get_batch(tx, batch_id))
    assert (batch["tasks"], batch["gold_items"], batch["gold_taken"]) == (2, 3, 0)
    await world.lease()
    _, results = await world.do(lambda tx: list_results(tx, batch_id, (-1, UUID(int=0)), 10))
    assert [row["item_key"] for row in results] == ["t0", "t1"]


async def test_a_gold_task_looks_like_work_and_is_told_with_its_key(world: World) -> None:
    await with_gold(world)
    slot = await world.lease()
    item = await world.row("SELECT task_id, payload FROM task WHERE kind = 2")
    assert slot["task_id"] != item["task_id"]
    assert str(slot["task_id"])[:13] == str(item["task_id"])[:13]
    assert slot["payload"] == item["payload"]
    await world.submit(slot)
    [told] = await world.events(AnswerSubmitted)
    assert (told.kind, told.gold_key, told.task_id) == (ANSWER_KIND_GOLD, KEY, str(slot["task_id"]))
    assert told.gold_item_id == str(item["task_id"])


async def test_an_item_goes_to_an_expert_once_and_to_each_as_a_task_of_its_own(world: World) -> None:
    await with_gold(world)
    experts = await world.experts(2)
    first, second = [await world.lease(expert) for expert in experts]
    assert await is_gold(world, first["task_id"])
    assert await is_gold(world, second["task_id"])
    assert first["task_id"] != second["task_id"]
    await world.submit(first)
    again = await world.lease(experts[0])
    assert not await is_gold(world, again["task_id"])
    await world.submit(again)
    assert [event.kind for event in await world.events(AnswerSubmitted)] == [ANSWER_KIND_GOLD, ANSWER_KIND_WORK]


async def test_a_gold_task_that_was_given_back_does_not_come_again(world: World) -> None:
    await with_gold(world)
    expert = await world.expert()
    await world.give_back(await world.lease(expert))
    assert not await is_gold(world, (await world.lease(expert))["task_id"])


async def test_a_gold_task_of_one_expert_is_never_handed_to_another(world: World) -> None:
    await with_gold(world, tasks=1)
    returned = await world.lease()
    await world.give_back(returned)
    never = world.sharing_gold(0.0, 0.0)
    assert (await never.lease())["task_id"] != returned["task_id"]
    assert await never.claim(await world.expert()) is None


async def test_without_work_there_is_no_gold(world: World) -> None:
    await with_gold(world, tasks=1, items=2)
    never, expert = world.sharing_gold(0.0, 0.0), await world.expert()
    await never.answered(expert)
    assert await world.claim(expert) is None


async def test_gold_is_handed_out_as_often_as_is_reserved_for_it(world: World) -> None:
    batch_id = await with_gold(world, tasks=2, items=3)
    [request] = await world.events(BatchFundingRequested)
    assert (request.tiers[0].answers, request.tiers[0].surplus) == (2 * 5 + 2, 2 * 5)
    slots = [await world.lease() for _ in range(4)]
    assert [await is_gold(world, slot["task_id"]) for slot in slots] == [True, True, False, False]
    assert (await world.do(lambda tx: get_batch(tx, batch_id)))["gold_taken"] == 2


async def test_claims_at_the_same_time_keep_to_what_is_reserved(world: World) -> None:
    await with_gold(world, tasks=10, items=4)
    experts = await world.experts(8)
    slots = await asyncio.gather(*(world.lease(expert) for expert in experts))
    assert len({slot["task_id"] for slot in slots}) == 8
    row = await world.row("SELECT gold_taken, (SELECT count(*) FROM task WHERE kind = 3) AS made FROM batch")
    assert row["gold_taken"] == row["made"] <= 10


async def test_where_no_batch_has_gold_a_claim_takes_no_further_statement(world: World) -> None:
    await world.opened(2)
    [first, second] = await world.experts(2)
    plain = world.sharing_gold(0.0, 0.0)
    counts = []
    for who, expert in ((world, first), (plain, second)):
        counts.append(await statements_of_a_claim(who, expert))
    assert counts[0] == counts[1]


async def statements_of_a_claim(world: World, expert: UUID) -> int:
    return await world.statements(lambda tx: claim_task(tx, expert, None, world.context.settings))


async def test_a_batch_is_completed_by_its_work_and_counts_the_answers_to_gold(world: World) -> None:
    batch_id = await with_gold(world, tasks=1)
    expert = await world.expert()
    gold, _ = await world.submit(slot := await world.lease(expert))
    await world.scores(gold_scored(slot["task_id"], gold, 10_000))
    assert await world.tick(complete) == 0
    work, _ = await world.submit(slot := await world.lease(expert))
    await world.scores(scored(slot["task_id"], wanted=1, judged=[(work, 10_000)]))
    assert await world.tick(complete) == 1
    [completed] = await world.events(BatchCompleted)
    assert (completed.batch_id, completed.answers_decided) == (str(batch_id), 2)
    assert len(await world.events(AnswersDecided)) == 2
    [state] = await world.rows("SELECT state FROM batch")
    assert state["state"] == BATCH_STATE_COMPLETED


async def test_a_failed_gold_task_is_a_case_that_a_person_decides(world: World) -> None:
    await with_gold(world)
    gold, _ = await world.submit(slot := await world.lease())
    await world.scores(gold_scored(slot["task_id"], gold, 0))
    case = await world.row("SELECT answer_id, ground, proposed_basis_points FROM rejection_case")
    assert tuple(case) == (gold, "GOLD_FAILED", 0)
    assert await world.events(AnswersDecided) == []


def gold_scored(task_id: UUID, answer_id: UUID, share: int) -> TaskScored:
    told = scored(task_id, wanted=1, judged=[(answer_id, share)], ground="GOLD_FAILED")
    told.ClearField("result")
    told.kind = ANSWER_KIND_GOLD
    return told


async def test_a_key_that_does_not_fit_its_payload_is_an_error_of_its_row(world: World) -> None:
    asked = payload(least=20)
    right = NewTask(item_key="right", payload=asked, gold_key=answer(2, "The first one counts syllables."))
    wrong = NewTask(item_key="wrong", payload=asked, gold_key=answer(2, "Short."))
    project = await world.project()

    async def requests() -> AsyncIterator[UploadBatchRequest]:
        yield UploadBatchRequest(header=UploadHeader(project=f"projects/{project}", batch_key="b"))
        yield UploadBatchRequest(chunk=UploadChunk(sequence=1, tasks=[right, wrong]))

    told = await upload_batch(world.call(vendor_caller(world.vendor_id)), requests())
    [error] = told.errors
    assert (error.item_key, error.reason) == ("wrong", "JUSTIFICATION_TOO_SHORT")
    assert error.field == "gold_key.pairwise_preference.justification"
    assert (told.accepted, told.batch.tasks, told.batch.gold_items) == (1, 0, 1)
