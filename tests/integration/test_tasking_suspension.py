"""An expert who stops being active holds no task: the seat is free at once, and the draft is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio

from services.tasking.domain.lease import LeaseEnded, SlotState
from services.tasking.reactions import on_expert_changed
from services.tasking.usecases.claim_task import ExpertNotActive
from services.tasking.usecases.keep_alive import save_draft
from tests.support.databases import Databases
from tests.support.tasking import World, answer, expert_changed, tasking_database, tasking_world

SLOT = "SELECT state, draft, ended_at FROM slot WHERE slot_id = $1"


@pytest_asyncio.fixture
async def world(databases: Databases) -> AsyncIterator[World]:
    async with tasking_database(databases) as database:
        yield await tasking_world(database)


async def suspend(world: World, expert_id: UUID, version: int = 2) -> None:
    await world.react(on_expert_changed.react, expert_changed(expert_id, version, active=False))


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
