"""An expert who stops being active holds no task: the seat is free, the draft is kept, and the time is paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from preceptor.tasking.v1.events_pb2 import TIME_CLASS_EXPERT_STOPPED, BatchCompleted, TimeRecorded
from preceptor.work.v1.work_pb2 import Terms

from chassis.db import Transaction
from services.tasking.api.batch import to_batch
from services.tasking.domain.decision import ALL
from services.tasking.domain.lease import LeaseEnded, SlotState
from services.tasking.reactions import on_expert_changed
from services.tasking.usecases.claim_task import ExpertNotActive
from services.tasking.usecases.complete_batches import tick as complete
from services.tasking.usecases.expire_leases import tick as expire
from services.tasking.usecases.get_batch import get_batch
from services.tasking.usecases.keep_alive import heartbeat, save_draft
from tests.support.databases import Databases
from tests.support.tasking import (
    FEE,
    PRICE,
    SECONDS,
    World,
    answer,
    event,
    expert_changed,
    scored,
    tasking_database,
    tasking_world,
)

SLOT = "SELECT state, draft, ended_at FROM slot WHERE slot_id = $1"


@pytest_asyncio.fixture
async def world(databases: Databases) -> AsyncIterator[World]:
    async with tasking_database(databases) as database:
        yield await tasking_world(database)


async def suspend(world: World, *expert_ids: UUID, version: int = 2, ago: timedelta = timedelta(0)) -> None:
    stopped = [expert_changed(id_, version, active=False) for id_ in expert_ids]
    await world.react(on_expert_changed.react, *stopped, ago=ago)


async def worked(world: World, expert_id: UUID, seconds: int) -> asyncpg.Record:
    """A lease that was claimed so many seconds ago, with a sign of life just now."""
    slot = await world.lease(expert_id)
    await world.pass_time(timedelta(seconds=seconds), slot["slot_id"])
    settings, fence = world.context.settings, slot["fencing_token"]
    await world.do(lambda tx: heartbeat(tx, slot["slot_id"], expert_id, fence, settings))
    return slot


async def paid(world: World) -> list[int]:
    return [time.paid_seconds for time in await world.events(TimeRecorded)]


async def test_the_lease_ends_the_seat_is_free_and_the_draft_stays(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    slot = await world.lease(expert)
    draft = answer().SerializeToString()
    settings, fence = world.context.settings, slot["fencing_token"]
    await world.do(lambda tx: save_draft(tx, slot["slot_id"], expert, fence, draft, 0, settings))

    await suspend(world, expert)

    row = await world.row(SLOT, slot["slot_id"])
    assert (row["state"], row["draft"]) == (SlotState.RETURNED, draft)
    assert row["ended_at"] is not None
    assert (await world.row("SELECT seats_taken FROM task"))["seats_taken"] == 0
    with pytest.raises(LeaseEnded):
        await world.submit(slot)
    with pytest.raises(ExpertNotActive):
        await world.claim(expert)


async def test_an_old_version_ends_nothing(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    await world.react(on_expert_changed.react, expert_changed(expert, 5))
    slot = await world.lease(expert)

    await suspend(world, expert, version=4)

    assert (await world.row(SLOT, slot["slot_id"]))["state"] == SlotState.LEASED


async def test_others_keep_their_leases_and_what_was_handed_in_stays(world: World) -> None:
    await world.opened(2)
    first, second = await world.experts(2)
    submitted = await world.lease(first)
    await world.submit(submitted)
    other = await world.lease(second)

    await suspend(world, first)
    await suspend(world, first)

    assert (await world.row(SLOT, submitted["slot_id"]))["state"] == SlotState.SUBMITTED
    assert (await world.row(SLOT, other["slot_id"]))["state"] == SlotState.LEASED


async def test_the_time_from_the_claim_to_the_last_sign_of_life_is_paid_at_the_slots_terms(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    slot = await worked(world, expert, 40)
    await world.pass_time(timedelta(minutes=5), slot["slot_id"])  # without a sign of life

    await suspend(world, expert)
    await suspend(world, expert)

    [time] = await world.events(TimeRecorded)
    assert (time.slot_id, time.task_id, time.batch_id) == tuple(
        str(slot[key]) for key in ("slot_id", "task_id", "batch_id")
    )
    assert (time.expert_id, time.vendor_id) == (str(expert), str(world.vendor_id))
    assert (time.paid_seconds, time.expected_seconds, time.time_class) == (40, SECONDS, TIME_CLASS_EXPERT_STOPPED)
    assert time.terms == Terms(rate_card_version=1, tier="P1", amount_minor=PRICE, currency="USD", fee_basis_points=FEE)
    kept = await world.row("SELECT time_id, slot_id, seconds FROM paid_time")
    assert (str(kept["time_id"]), kept["slot_id"], kept["seconds"]) == (time.time_id, slot["slot_id"], 40)


async def test_more_than_the_expected_seconds_are_never_paid(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    await worked(world, expert, SECONDS + 600)

    await suspend(world, expert)

    assert await paid(world) == [SECONDS]


async def test_who_gave_no_sign_of_life_after_the_claim_is_paid_nothing(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    slot = await world.lease(expert)
    await world.pass_time(timedelta(minutes=20))

    await suspend(world, expert)

    assert await paid(world) == []
    assert (await world.row(SLOT, slot["slot_id"]))["state"] == SlotState.RETURNED


async def test_who_is_let_in_again_before_the_news_is_read_keeps_the_task(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    slot = await worked(world, expert, 40)

    states = [expert_changed(expert, 2, active=False), expert_changed(expert, 3)]
    await world.react(on_expert_changed.react, *states)

    assert await paid(world) == []
    assert (await world.row(SLOT, slot["slot_id"]))["state"] == SlotState.LEASED


async def test_a_lease_that_ran_out_while_the_news_was_on_its_way_is_paid_and_one_before_is_not(world: World) -> None:
    await world.opened(2)
    late, before = await world.experts(2)
    slots = [await worked(world, expert, 40) for expert in (late, before)]
    await world.pass_time(timedelta(minutes=40))
    assert await world.tick(expire) == 2

    await suspend(world, late, ago=timedelta(minutes=20))
    await suspend(world, before)

    assert [time.expert_id for time in await world.events(TimeRecorded)] == [str(late)]
    states = [(await world.row(SLOT, slot["slot_id"]))["state"] for slot in slots]
    assert states == [SlotState.RETURNED, SlotState.EXPIRED]
    assert {row["seats_taken"] for row in await world.rows("SELECT seats_taken FROM task")} == {0}


async def test_a_completed_batch_tells_how_many_times_were_recorded_and_what_they_cost(world: World) -> None:
    batch_id = await world.opened(1)
    stopped = await world.experts(2)
    for expert in stopped:
        await worked(world, expert, 45)
    await suspend(world, *stopped)
    answers = [await world.answered(await world.expert()) for _ in range(2)]
    task_id = (await world.row("SELECT task_id FROM task"))["task_id"]
    await world.scores(scored(task_id, judged=[(id_, ALL) for id_ in answers]))

    assert await world.tick(complete) == 1

    assert await world.events(BatchCompleted) == [
        BatchCompleted(batch_id=str(batch_id), vendor_id=str(world.vendor_id), answers_decided=2, times_recorded=2)
    ]
    batch = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    # 2 x (1.50 + 0.30), and 0.75 + 0.15 once: the batch has money for one time, the platform pays the other.
    assert (batch.spent.units, batch.spent.nanos // 10_000_000) == (4, 50)


async def test_no_time_is_recorded_after_its_batch_has_told_their_number(world: World) -> None:
    await world.opened(1)
    (expert,) = await world.experts(1)
    await worked(world, expert, 40)
    batch_id = (await world.row("SELECT batch_id FROM batch"))["batch_id"]

    async def completed(tx: Transaction) -> None:
        await tx.execute("UPDATE batch SET state = 5 WHERE batch_id = $1", batch_id)

    await world.do(completed)
    await suspend(world, expert)

    assert await paid(world) == []


async def test_many_who_stop_at_once_take_the_same_number_of_statements(world: World) -> None:
    await world.opened(40)
    experts = await world.experts(30)
    for expert in experts:
        await worked(world, expert, 40)
    numbers = []
    for some in (experts[:2], experts[2:7], experts[7:]):  # the first lets the driver ask the server about types
        events = [event(expert_changed(id_, 2, active=False)) for id_ in some]
        numbers.append(await world.statements(partial(on_expert_changed.react, events=events, _=world.context)))

    assert numbers[1] == numbers[2] <= 7
    assert len(await paid(world)) == 30
