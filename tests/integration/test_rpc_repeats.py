"""What is kept so that a repeated request is not done twice: enough for its answer, and no more than is bounded."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from google.protobuf.message import Message
from preceptor.tasking.v1.batch_pb2 import DecideQuestionsResponse, ListResultsRequest, TaskResult
from preceptor.tasking.v1.project_pb2 import CreateProjectRequest, CreateProjectResponse, Project
from preceptor.tasking.v1.work_pb2 import ClaimTaskRequest, ClaimTaskResponse
from preceptor.work.v1 import work_pb2

from chassis.contract.access import policies
from chassis.db import Scope, Transaction
from chassis.ids import name, new_id
from chassis.rpc import idempotency, pipeline
from chassis.rpc.call import Call, Caller, NotYours
from services.tasking.api import batch
from services.tasking.service import SERVICE
from tests.support.tasking import World, answer, new_task, payload, vendor_caller

LARGE = payload("x" * 500_000)
KEPT = "SELECT octet_length(response) AS bytes FROM idempotency"


def expert_caller(expert_id: UUID) -> Caller:
    return Caller(new_id(), "expert", frozenset({"EXPERT"}), new_id(), new_id(), expert_id=expert_id)


async def serve(world: World, caller: Caller, method: str, request: Message) -> bytes:
    """A call from where it is known who calls: idempotency, the handler, the response's bytes."""
    policy = policies("tasking")[f"/preceptor.tasking.v1.{method}"]
    rpc = SERVICE.rpcs[policy.service][policy.method]

    async def work(tx: Transaction) -> bytes:
        call: Call[object] = Call(caller, world.context, world.database, tx)
        return await pipeline.transacted(call, policy, rpc, request)

    return await world.do(work, caller.scope)


async def claim(world: World, caller: Caller, request_id: str = "") -> ClaimTaskResponse:
    request = ClaimTaskRequest(request_id=request_id or str(uuid4()))
    return ClaimTaskResponse.FromString(await serve(world, caller, "WorkService/ClaimTask", request))


async def test_a_hundred_claims_of_a_large_task_leave_next_to_nothing(world: World) -> None:
    await world.opened([new_task("a", asked=LARGE)])
    caller = expert_caller(await world.expert())
    claims = [await claim(world, caller) for _ in range(100)]
    assert all(each.lease.payload == LARGE for each in claims)
    kept = await world.rows(KEPT)
    assert (len(kept), max(row["bytes"] for row in kept)) == (100, 46)


async def test_a_repeated_claim_gives_the_same_lease_as_it_stands(world: World) -> None:
    await world.opened([new_task("a", asked=LARGE), new_task("b")])
    caller = expert_caller(await world.expert())
    first = await claim(world, caller, id_ := str(uuid4()))
    assert await claim(world, caller, id_) == first
    [slot] = await world.rows(
        "UPDATE slot SET draft = $1, draft_version = 1 RETURNING *", answer(2).SerializeToString()
    )
    saved = await claim(world, caller, id_)
    assert (saved.lease.slot, saved.lease.draft, saved.lease.draft_version) == (first.lease.slot, answer(2), 1)
    await world.submit(slot)
    assert (await claim(world, caller, id_)).lease.slot == first.lease.slot, "no second task, though the first is done"
    assert len(await world.rows("SELECT FROM slot")) == 1


async def test_a_repeated_claim_that_found_nothing_finds_nothing(world: World) -> None:
    caller = expert_caller(await world.expert())
    first = await claim(world, caller, id_ := str(uuid4()))
    await world.opened()
    assert await claim(world, caller, id_) == first
    assert first.HasField("retry_after")


async def test_what_the_release_before_kept_whole_is_repeated(world: World) -> None:
    await world.opened()
    caller = expert_caller(await world.expert())
    first = await claim(world, caller, id_ := str(uuid4()))
    await world.rows("UPDATE idempotency SET response = $1", first.SerializeToString())
    assert await claim(world, caller, id_) == first


async def test_a_project_is_made_once_and_told_whole_again(world: World) -> None:
    project = Project(
        display_name="P",
        task_type=work_pb2.TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=work_pb2.DOMAIN_LAW,
        locale="en",
        instructions="x" * 100_000,
        redundancy=work_pb2.Redundancy(min_answers=1, max_answers=2, stop_confidence=0.9),
        rate_card=f"rateCards/{world.rate_card_id}",
        tier="P1",
        expected_seconds=60,
    )
    caller = vendor_caller(world.vendor_id)
    request = CreateProjectRequest(project=project, request_id=str(uuid4()))
    one, other = [await serve(world, caller, "ProjectService/CreateProject", request) for _ in range(2)]
    assert one == other
    assert CreateProjectResponse.FromString(other).project.instructions == project.instructions
    assert len(await world.rows("SELECT FROM project")) == 1
    assert (await world.row(KEPT))["bytes"] < 100


async def test_a_repeated_decision_gives_the_result_as_it_stands(world: World) -> None:
    batch_id = await world.opened()
    caller, task = vendor_caller(world.vendor_id), await world.row("SELECT task_id FROM task")
    kept = batch.task_alone(DecideQuestionsResponse(result=TaskResult(task=name("tasks", task["task_id"]), version=3)))
    assert kept.result == TaskResult(task=name("tasks", task["task_id"]))
    async with world.database.transaction(caller.scope) as tx:
        call = world.call(caller, tx)
        [listed] = (await batch.list_results(call, ListResultsRequest(parent=name("batches", batch_id)))).results
        assert (await batch.decide_again(call, kept)).result == listed
    with pytest.raises(NotYours):
        async with world.database.transaction(Scope.vendor(new_id())) as tx:
            await batch.decide_again(world.call(caller, tx), kept)


async def test_of_one_caller_so_many_requests_are_kept_the_latest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(idempotency, "MOST_KEPT", 10)
    monkeypatch.setattr(idempotency, "_COUNTED_ONE_IN", 5)
    often, rarely = expert_caller(await world.expert()), expert_caller(await world.expert())
    first = str(uuid4())
    await claim(world, rarely, first)
    for _ in range(200):
        await claim(world, often, last := str(uuid4()))
    counts = {
        row["subject"]: row["n"]
        for row in await world.rows("SELECT subject, count(*) AS n FROM idempotency GROUP BY 1")
    }
    assert counts[rarely.subject] == 1
    assert 10 <= counts[often.subject] < 100
    assert await world.rows("SELECT FROM idempotency WHERE request_id = $1", UUID(last))


async def test_a_draft_from_before_there_was_a_limit_keeps_nobody_from_their_task(world: World) -> None:
    await world.opened([new_task("a", asked=LARGE)])
    caller = expert_caller(await world.expert())
    await claim(world, caller)
    await world.rows("UPDATE slot SET draft_version = 4, draft = $1", answer(2, "x" * 3_900_000).SerializeToString())
    held = (await claim(world, caller)).lease
    assert (held.payload, held.HasField("draft"), held.draft_version) == (LARGE, False, 4)


async def test_a_reply_that_no_client_would_take_undoes_what_was_done(world: World) -> None:
    await world.opened([new_task("a")])
    await world.rows("UPDATE task SET payload = $1", payload("x" * 4_190_000).SerializeToString())
    await world.rows("UPDATE project SET instructions = repeat('x', 100000)")
    caller = expert_caller(await world.expert())
    with pytest.raises(pipeline.ReplyTooLarge) as refused:
        await claim(world, caller)
    assert refused.value.metadata["limit"] == "4194304"
    assert not await world.rows("SELECT FROM slot")
    assert not await world.rows(KEPT)
