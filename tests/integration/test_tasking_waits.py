"""What waits at tasking says for what: batches for money, answers for a decision, proposed rejections for a person."""

from __future__ import annotations

from uuid import UUID

from preceptor.payouts.v1.events_pb2 import BUDGET_REFUSAL_PREFUND_TOO_LOW, BudgetRefused
from preceptor.tasking.v1.events_pb2 import BatchFundingRequested

from chassis.ops.trace import Step
from services.tasking.reactions import on_budget_refused, on_budget_reserved
from services.tasking.usecases.open_batch import open_batch
from services.tasking.usecases.trace_task import trace_task
from services.tasking.usecases.waits import waits_in_all
from tests.support.tasking import World, reserved, scored


async def waiting(world: World) -> dict[tuple[str, str], int]:
    told = await world.do(lambda tx: waits_in_all(tx, world.context))
    assert all(each.oldest and each.way_out for each in told)
    return {(each.what, each.reason): each.count for each in told}


async def steps(world: World, task_id: UUID) -> list[Step]:
    return [step for step in await world.do(lambda tx: trace_task(tx, world.context, task_id)) if step.waits]


async def a_task(world: World) -> UUID:
    return UUID(str((await world.row("SELECT task_id FROM task ORDER BY position LIMIT 1"))["task_id"]))


async def test_a_batch_that_waits_for_money_says_since_when_and_what_for(world: World) -> None:
    batch_id = await world.staged(2)
    assert await waiting(world) == {}
    await world.do(lambda tx: open_batch(tx, batch_id))
    assert await waiting(world) == {("batches", "MONEY_REQUESTED"): 1}
    [asked] = await world.events(BatchFundingRequested)
    refused = BudgetRefused(
        batch_id=asked.batch_id, attempt=1, refusal=BUDGET_REFUSAL_PREFUND_TOO_LOW, missing_minor=5, currency="USD"
    )
    await world.react(on_budget_refused.react, refused)
    assert await waiting(world) == {("batches", "PREFUND_TOO_LOW"): 1}
    [step] = await steps(world, await a_task(world))
    assert step.kind == "batch waits: money"
    assert step.detail.startswith("PREFUND_TOO_LOW: The vendor sends money")
    await world.do(lambda tx: open_batch(tx, batch_id))
    await world.react(on_budget_reserved.react, reserved((await world.events(BatchFundingRequested))[-1]))
    assert await waiting(world) == {}
    [step] = await steps(world, await a_task(world))
    assert (step.kind, step.detail.split(" ")[0]) == ("task waits: answers", "0")


async def test_an_answer_waits_for_consensus_and_a_proposed_rejection_for_a_person(world: World) -> None:
    await world.opened(1, await world.project(1, 2))
    answer_id = await world.answered()
    task_id = await a_task(world)
    kinds = [step.kind for step in await steps(world, task_id)]
    assert kinds == ["task waits: answers", "answer waits: decision"]
    await world.scores(scored(task_id, judged=[(answer_id, 0)]))
    assert await waiting(world) == {("rejection cases", "A_PERSON_DECIDES"): 1}
    [step] = await steps(world, task_id)
    assert step.kind == "answer waits: a person decides"
    assert step.ids["answers"] == answer_id
    assert "until 20" in step.detail
