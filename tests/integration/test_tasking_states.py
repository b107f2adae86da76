"""What identity and payouts tell is applied by version in any order; vendors see what is theirs and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import permutations
from uuid import UUID

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from preceptor.identity.v1.events_pb2 import VENDOR_STATUS_ACTIVE, VENDOR_STATUS_SUSPENDED, VendorChanged
from preceptor.payouts.v1.events_pb2 import RateCardPublished, TierRate
from preceptor.tasking.v1 import batch_pb2, project_pb2

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import NotYours
from services.tasking.api import batch as batches
from services.tasking.api import project as projects
from services.tasking.reactions import on_expert_changed, on_rate_card_published, on_vendor_changed
from tests.support.tasking import (
    M,
    React,
    World,
    expert_changed,
    new_task,
    scored,
    tasking_world,
    vendor_caller,
)

IN_ANY_ORDER = [*permutations((1, 2, 3)), (2, 2, 1), (3, 3)]


@pytest_asyncio.fixture(scope="module")
async def world(world_database: Database) -> World:
    return await tasking_world(world_database)


async def apply(world: World, reaction: React[M], messages: list[M]) -> None:
    """Applies messages one batch each, then all at once: a replay."""
    for message in messages:
        await world.react(reaction, message)
    await world.react(reaction, *messages)


@pytest.mark.parametrize("order", IN_ANY_ORDER)
async def test_an_expert_is_what_their_highest_version_says(world: World, order: tuple[int, ...]) -> None:
    expert, person = new_id(), new_id()
    told = {
        1: expert_changed(expert, 1, person_id=person),
        2: expert_changed(expert, 2, person_id=person, locales=["de", "fr"], claims=["a=b", "c=d"]),
        3: expert_changed(expert, 3, person_id=person, active=False, locales=[]),
    }
    await apply(world, on_expert_changed.react, [told[version] for version in order])
    row = await world.row("SELECT * FROM expert WHERE expert_id = $1", expert)
    last = max(order)
    assert (row["version"], row["active"], row["person_id"]) == (last, last != 3, person)
    assert (row["locales"], row["claims"]) == ((["de", "fr"], ["a=b", "c=d"]) if last == 2 else ([], []))


@pytest.mark.parametrize("order", IN_ANY_ORDER)
async def test_a_vendor_is_what_its_highest_version_says(world: World, order: tuple[int, ...]) -> None:
    vendor = new_id()
    status = {1: VENDOR_STATUS_ACTIVE, 2: VENDOR_STATUS_ACTIVE, 3: VENDOR_STATUS_SUSPENDED}
    messages = [VendorChanged(vendor_id=str(vendor), version=v, status=status[v]) for v in order]
    await apply(world, on_vendor_changed.react, messages)
    row = await world.row("SELECT * FROM vendor WHERE vendor_id = $1", vendor)
    assert (row["version"], row["active"]) == (max(order), max(order) != 3)


@pytest.mark.parametrize("order", IN_ANY_ORDER)
async def test_a_rate_card_is_what_its_highest_version_says(world: World, order: tuple[int, ...]) -> None:
    card = new_id()
    messages = [
        RateCardPublished(
            rate_card_id=str(card),
            version=version,
            currency="USD",
            tiers=[TierRate(tier="P1", rate_minor_per_hour=version * 1_000)],
            fee_basis_points=version,
        )
        for version in order
    ]
    await apply(world, on_rate_card_published.react, messages)
    row = await world.row("SELECT * FROM rate_card WHERE rate_card_id = $1", card)
    last = max(order)
    assert (row["version"], row["fee_basis_points"]) == (last, last)
    assert json.loads(row["rates"]) == {"P1": last * 1_000}


async def test_many_states_are_applied_by_one_statement(world: World) -> None:
    experts = [new_id() for _ in range(50)]
    await world.react(on_expert_changed.react, *(expert_changed(id_, v) for id_ in experts for v in (1, 2)))
    rows = await world.rows("SELECT version FROM expert WHERE expert_id = ANY ($1)", experts)
    assert [row["version"] for row in rows] == [2] * 50


async def asked(world: World, vendor: UUID, what: str, id_: UUID) -> Message:
    """What a vendor gets of a project or a batch."""
    caller = vendor_caller(vendor)
    async with world.database.transaction(caller.scope) as tx:
        call = world.call(caller, tx)
        if what == "project":
            return await projects.get_project(call, project_pb2.GetProjectRequest(name=name("projects", id_)))
        if what == "batch":
            return await batches.get_batch(call, batch_pb2.GetBatchRequest(name=name("batches", id_)))
        if what == "open":
            return await batches.open_batch(call, batch_pb2.OpenBatchRequest(name=name("batches", id_)))
        return await batches.list_results(call, batch_pb2.ListResultsRequest(parent=name("batches", id_)))


@pytest.mark.parametrize("what", ["project", "batch", "open", "results"])
async def test_a_foreign_thing_and_a_missing_one_are_told_alike(world: World, what: str) -> None:
    project = await world.project()
    batch = await world.staged(1, project)
    mine = project if what == "project" else batch
    told = []
    for id_ in (mine, new_id()):
        with pytest.raises(NotYours) as refused:
            await asked(world, new_id(), what, id_)
        told.append((refused.value.message, refused.value.metadata, refused.value.field))
    assert told[0] == told[1]
    assert (await world.row("SELECT state FROM batch WHERE batch_id = $1", batch))["state"] == 1
    assert await asked(world, world.vendor_id, what, mine)


async def test_a_vendors_scope_shows_no_row_of_another_in_any_table(world: World) -> None:
    await world.opened(1, await world.project(least=1))
    answer_id = await world.answered()
    task_id = (await world.row("SELECT task_id FROM answer"))["task_id"]
    await world.scores(scored(task_id, judged=[(answer_id, 0)]))
    for sql in (
        "SELECT FROM project",
        "SELECT FROM batch",
        "SELECT FROM task",
        "SELECT FROM slot",
        "SELECT FROM answer",
        "SELECT FROM rejection_case",
    ):
        assert await world.rows(sql, scope=Scope.vendor(world.vendor_id))
        assert await world.rows(sql, scope=Scope.vendor(new_id())) == []


async def test_results_come_page_by_page_in_the_order_of_the_upload(world: World) -> None:
    # Two share a place over the end of a page, as after a chunk that was sent again with another task in it.
    places = [0, 1, 1, 2, 3]
    batch_id = await world.staged([new_task(f"k{n}", place) for n, place in enumerate(places)], key="pages")
    caller = vendor_caller(world.vendor_id)
    keys: list[str] = []
    token = ""
    for last in (False, False, True):
        request = batch_pb2.ListResultsRequest(parent=name("batches", batch_id), page_size=2, page_token=token)
        async with world.database.transaction(caller.scope) as tx:
            page = await batches.list_results(world.call(caller, tx), request)
        keys += [result.item_key for result in page.results]
        assert {result.state for result in page.results} == {batch_pb2.TASK_STATE_QUEUED}
        token = page.next_page_token
        assert (token == "") == last
    assert (keys[0], sorted(keys[1:3]), keys[3:]) == ("k0", ["k1", "k2"], ["k3", "k4"])


async def test_a_vendor_uploads_into_its_own_batch_only(world: World) -> None:
    other = replace(world, vendor_id=new_id())
    await world.react(
        on_vendor_changed.react,
        VendorChanged(vendor_id=str(other.vendor_id), version=1, status=VENDOR_STATUS_ACTIVE),
    )
    project = await world.project()
    with pytest.raises(NotYours):
        await other.staged(1, project)
