"""What is an expert's own they find again: what they hold, and the drafts of what they may still hand in late."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from preceptor.tasking.v1 import work_pb2
from preceptor.work.v1.work_pb2 import Answer

from chassis.ids import name, new_id
from chassis.rpc.call import Caller
from services.tasking.api.work import get_held_tasks
from services.tasking.domain.lease import AnswerWindowClosed
from services.tasking.reactions import on_expert_changed
from services.tasking.usecases.expire_leases import tick as expire
from services.tasking.usecases.keep_alive import save_draft
from tests.support.tasking import World, answer, expert_changed, new_task, payload

PAST_LEASE, PAST_GRACE = timedelta(minutes=31), timedelta(hours=25)


async def held(world: World, expert_id: UUID, **paging: object) -> work_pb2.GetHeldTasksResponse:
    caller = Caller(new_id(), "expert", frozenset({"EXPERT"}), new_id(), new_id(), expert_id=expert_id)
    request = work_pb2.GetHeldTasksRequest(**paging)  # type: ignore[arg-type]
    return await world.do(lambda tx: get_held_tasks(world.call(caller, tx), request))


async def save(world: World, slot: asyncpg.Record, base: int, text: str) -> tuple[int, bool]:
    """The draft's version, and whether the lease moved."""
    version, ends = await world.do(
        lambda tx: save_draft(
            tx,
            slot["slot_id"],
            slot["expert_id"],
            slot["fencing_token"],
            answer(0, text).SerializeToString(),
            base,
            world.context.settings,
        )
    )
    [row] = await world.rows("SELECT expires_at > clock_timestamp() AS runs FROM slot WHERE expires_at = $1", ends)
    return version, row["runs"]


@pytest.mark.parametrize("swept", [False, True])
async def test_a_draft_is_found_again_after_its_lease_while_a_late_answer_would_be_taken(
    world: World, swept: bool
) -> None:
    await world.opened()
    slot = await world.lease()
    await save(world, slot, 0, "half a sentence")
    await world.pass_time(PAST_LEASE)
    if swept:
        assert await world.tick(expire) == 1

    [task] = (await held(world, slot["expert_id"])).tasks

    assert (task.late, task.lease.slot, task.lease.draft_version) == (True, name("slots", slot["slot_id"]), 1)
    assert task.lease.draft == answer(0, "half a sentence")
    assert task.lease.payload == payload("t0")
    assert task.answer_until.seconds - task.lease.expire_time.seconds == 24 * 3600
    await world.submit(slot, task.lease.draft, task.lease.fencing_token)
    assert not (await held(world, slot["expert_id"])).tasks


async def test_looking_at_what_is_held_commits_to_nothing(world: World) -> None:
    await world.opened()
    expert = await world.expert()
    assert not (await held(world, expert)).tasks
    assert await world.rows("SELECT FROM slot") == []
    slot = await world.lease(expert)
    before = await world.row("SELECT * FROM slot")
    [task] = (await held(world, expert)).tasks
    assert (task.late, task.lease.fencing_token) == (False, slot["fencing_token"])
    assert await world.row("SELECT * FROM slot") == before


async def test_a_draft_goes_on_being_saved_after_the_lease_but_the_lease_stays_over(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    assert await save(world, slot, 0, "one") == (1, True)
    await world.pass_time(PAST_LEASE)
    assert await save(world, slot, 1, "two") == (2, False)
    assert await world.tick(expire) == 1
    assert await save(world, slot, 2, "three") == (3, False)
    [task] = (await held(world, slot["expert_id"])).tasks
    assert task.lease.draft == answer(0, "three")
    await world.pass_time(PAST_GRACE)
    with pytest.raises(AnswerWindowClosed):
        await save(world, slot, 3, "four")


async def test_what_would_not_be_taken_any_more_is_not_held(world: World) -> None:
    await world.opened(3, await world.project(least=1, greatest=1))
    expert = await world.expert()
    slots = []
    for _ in range(3):
        slots.append(await world.lease(expert))
        await world.pass_time(PAST_LEASE, slots[-1]["slot_id"])
    assert len((await held(world, expert)).tasks) == 3
    # Of the first the time is over; the second's task another has answered and a third person as surplus.
    await world.pass_time(PAST_GRACE, slots[0]["slot_id"])
    await world.rows("UPDATE task SET seats_taken = 1, surplus_taken = 1 WHERE task_id = $1", slots[1]["task_id"])
    assert [task.lease.slot for task in (await held(world, expert)).tasks] == [name("slots", slots[2]["slot_id"])]
    await world.rows("UPDATE batch SET state = 5")
    assert not (await held(world, expert)).tasks


async def test_what_was_taken_from_a_suspended_expert_is_not_held(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    person = (await world.row("SELECT person_id FROM expert"))["person_id"]
    stopped = expert_changed(slot["expert_id"], 2, active=False, person_id=person)
    await world.react(on_expert_changed.react, stopped)
    assert not (await held(world, slot["expert_id"])).tasks


async def test_nobody_sees_what_others_hold(world: World) -> None:
    await world.opened(2)
    slot, other = await world.lease(), await world.lease()
    [task] = (await held(world, slot["expert_id"])).tasks
    assert task.lease.slot == name("slots", slot["slot_id"])
    assert other["expert_id"] != slot["expert_id"]


async def test_pages_end_by_number_and_by_bytes_and_together_hold_all_once(world: World) -> None:
    large = payload("x" * 50_000)
    large.pairwise_preference.response_a = "y" * 50_000
    large.pairwise_preference.response_b = "z" * 50_000
    tasks = [new_task(f"t{n}", n, large) for n in range(8)]
    await world.opened(tasks)
    expert = await world.expert()
    for _ in range(8):
        await world.pass_time(PAST_LEASE, (await world.lease(expert))["slot_id"])

    sizes: list[int] = []
    seen: list[str] = []
    token = ""
    while not sizes or token:
        page = await held(world, expert, page_size=5, page_token=token)
        assert page.ByteSize() < 550_000
        sizes.append(len(page.tasks))
        seen += [task.lease.slot for task in page.tasks]
        token = page.next_page_token
    assert sizes == [3, 3, 2]
    assert seen == sorted(set(seen), reverse=True)
    assert len(seen) == 8


async def test_a_saved_draft_need_not_be_a_whole_answer(world: World) -> None:
    await world.opened()
    slot = await world.lease()
    await world.rows("UPDATE slot SET draft = '', draft_version = 1")
    [task] = (await held(world, slot["expert_id"])).tasks
    assert task.lease.draft == Answer()
