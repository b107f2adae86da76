"""Claims: who gets which task, in what order, at what terms, and by what plan."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import cast
from uuid import UUID

import asyncpg
import pytest
from preceptor.work.v1.work_pb2 import Payload

from chassis.db import Scope
from chassis.ids import new_id
from services.tasking.reactions import on_expert_changed
from services.tasking.usecases import claim_task as claiming
from services.tasking.usecases import expire_leases
from services.tasking.usecases.claim_task import ExpertNotActive
from tests.support.databases import Databases
from tests.support.tasking import FEE, PRICE, World, expert_changed, new_task, payload

KEY = "SELECT item_key FROM task WHERE task_id = $1"

EXPLAIN = """
EXPLAIN (FORMAT JSON)
EXECUTE claim (gen_random_uuid(), '{}', '{en}', NULL, gen_random_uuid(), '1 hour', ARRAY[gen_random_uuid()])
"""
FILL = """
INSERT INTO task (task_id, batch_id, project_id, vendor_id, position, item_key, payload, payload_hash, answers_wanted,
                  seats_taken)
SELECT gen_random_uuid(), b.batch_id, b.project_id, b.vendor_id, n, 'filler' || n, '', '', 2, n % 5 / 2
FROM batch b, generate_series(10000, 10000 + $1) AS n
"""


async def key_of(world: World, lease: asyncpg.Record | None) -> str:
    assert lease is not None
    return cast(str, (await world.row(KEY, lease["task_id"]))["item_key"])


async def keys(world: World, experts: Sequence[UUID]) -> list[str]:
    """What the experts get, one after the other."""
    return [await key_of(world, await world.claim(expert)) for expert in experts]


async def test_a_lease_shows_all_that_is_needed_to_work(world: World) -> None:
    await world.opened()
    lease = await world.lease(expert := await world.expert())
    assert Payload.FromString(lease["payload"]) == payload("t0")
    assert (lease["expert_id"], lease["instructions"], lease["expected_seconds"]) == (expert, "Read both.", 90)
    assert lease["fencing_token"] >= 1
    assert lease["expires_at"] - lease["leased_at"] == pytest.approx(timedelta(minutes=30), abs=timedelta(seconds=1))


async def test_started_tasks_come_first_then_priority_then_the_order_of_the_upload(world: World) -> None:
    tasks = [new_task("a", 0), new_task("b", 1, priority=5), new_task("c", 2, priority=5)]
    await world.opened(tasks)
    assert await keys(world, await world.experts(6)) == ["b", "b", "c", "c", "a", "a"]


async def test_older_batches_come_first(world: World) -> None:
    project = await world.project(least=1)
    for batch in ("b1", "b2"):
        await world.opened([new_task(batch)], project, batch)
    assert await keys(world, await world.experts(2)) == ["b1", "b2"]


async def test_an_expert_holds_one_lease_and_gets_it_again_with_its_draft(world: World) -> None:
    await world.opened(3)
    expert = await world.expert()
    first, second = await world.lease(expert), await world.lease(expert)
    assert second == first
    assert (await world.row("SELECT count(*) AS n FROM slot"))["n"] == 1


async def test_nobody_gets_a_task_twice_however_the_first_time_ended(world: World) -> None:
    await world.opened(3)
    expert = await world.expert()
    await world.submit(first := await world.lease(expert))
    await world.give_back(second := await world.lease(expert))
    third = await world.lease(expert)
    await world.pass_time(timedelta(hours=1), third["slot_id"])
    assert await world.claim(expert) is None
    assert len({first["task_id"], second["task_id"], third["task_id"]}) == 3


async def test_a_lease_that_ran_out_frees_its_seat_at_the_next_claim(world: World) -> None:
    await world.opened(1, await world.project(least=1))
    late, other = await world.experts(2)
    held = await world.lease(late)
    assert await world.claim(other) is None
    await world.pass_time(timedelta(hours=1))
    assert await world.claim(late) is None
    assert (await world.lease(other))["task_id"] == held["task_id"]


@pytest.mark.parametrize(
    ("project", "locales", "eligible"),
    [
        ("en", ["en"], True),
        ("en-US", ["en-US"], True),
        ("en-US", ["fr", "en"], True),
        ("en", ["en-US"], True),
        ("en-US", ["en-us"], True),
        ("zh-Hant", ["zh-Hant-TW"], True),
        ("zh-Hant-TW", ["zh"], True),
        ("en-US", ["en-GB"], False),
        ("en", ["enm"], False),
        ("en", ["fr"], False),
        ("en", [], False),
    ],
)
async def test_an_expert_works_in_the_projects_locale(
    world: World, project: str, locales: list[str], eligible: bool
) -> None:
    await world.opened(1, await world.project(locale=project))
    lease = await world.claim(await world.expert(locales=locales))
    assert (lease is not None) == eligible


async def test_an_expert_needs_every_required_claim(world: World) -> None:
    needed = ["profession=psychiatrist", "country=ch"]
    await world.opened(1, await world.project(claims=needed))
    for claims, eligible in ((needed[:1], False), (["profession=nurse", needed[1]], False), ([*needed, "a=b"], True)):
        assert (await world.claim(await world.expert(claims=claims)) is not None) == eligible


async def test_a_project_may_be_asked_for(world: World) -> None:
    first, second = await world.project(), await world.project()
    await world.opened(1, first)
    await world.opened(1, second)
    one, other = await world.experts(2)
    lease = await world.claim(one, second)
    assert lease is not None
    assert lease["project_id"] == second
    assert await world.claim(other, new_id()) is None


@pytest.mark.parametrize("state", [1, 2, 4, 5])
async def test_only_an_open_batch_is_worked_on(world: World, state: int) -> None:
    await world.opened()
    await world.rows("UPDATE batch SET state = $1", state)
    assert await world.claim(await world.expert()) is None


async def test_who_is_not_active_or_not_known_may_not_claim(world: World) -> None:
    await world.opened()
    expert = await world.expert()
    await world.react(on_expert_changed.react, expert_changed(expert, 2, active=False))
    for nobody in (expert, new_id()):
        with pytest.raises(ExpertNotActive):
            await world.claim(nobody)
    assert await world.rows("SELECT FROM slot") == []


async def test_a_claim_copies_the_reserved_terms_and_a_later_rate_card_does_not_reach_it(world: World) -> None:
    await world.opened(2)
    before = await world.lease()
    await world.publish_rates(version=2, rate=9_000)
    after = await world.lease()
    for lease in (before, after):
        assert (lease["rate_card_version"], lease["tier"]) == (1, "P1")
        assert (lease["price_minor"], lease["currency"], lease["fee_basis_points"]) == (PRICE, "USD", FEE)


async def test_fencing_tokens_rise(world: World) -> None:
    await world.opened(3)
    tokens = [(await world.lease(expert))["fencing_token"] for expert in await world.experts(4)]
    assert all(earlier < later for earlier, later in pairwise(tokens))


async def test_a_surplus_answer_is_one_of_those_wanted(world: World) -> None:
    await world.opened(1, await world.project(least=1))
    slow = await world.lease()
    await world.pass_time(timedelta(hours=1))
    await world.tick(expire_leases.tick)
    quick = await world.lease()
    assert (await world.submit(slow))[1]
    await world.give_back(quick)
    assert await world.claim(await world.expert()) is None


async def test_two_windows_of_one_expert_get_the_same_lease(world: World) -> None:
    await world.opened(5)
    for expert in await world.experts(3):
        leases = await asyncio.gather(*(world.claim(expert) for _ in range(4)))
        assert len({lease["slot_id"] for lease in leases if lease}) == 1


@pytest.mark.parametrize(
    ("statement", "indexes"),
    [(claiming._CLAIM, {"task_claimable"}), (claiming._CLAIM_AS_SENIOR, {"task_claimable", "task_senior"})],
    ids=["usual", "senior"],
)
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_claim_among_twenty_thousand_tasks_reads_the_index_of_claimable_ones(
    world: World, databases: Databases, mode: str, statement: str, indexes: set[str]
) -> None:
    await world.opened()
    await world.rows(FILL, 20_000)
    await databases.analyze(world.database)
    async with world.database.transaction(Scope.service()) as tx:
        await tx.execute("SET LOCAL plan_cache_mode = " + mode)
        await tx.execute("PREPARE claim AS " + statement)
        plan = await tx.fetchval(EXPLAIN)
        await tx.execute("DEALLOCATE claim")
    scans = {
        (node["Node Type"], node.get("Index Name"))
        for node in walk(json.loads(plan)[0]["Plan"])
        if node.get("Relation Name") == "task" and str(node["Node Type"]).endswith("Scan")
    }
    assert scans == {("Index Scan", name) for name in indexes | {"task_pkey"}}


def walk(node: dict[str, object]) -> list[dict[str, object]]:
    """A plan's node and all below it."""
    below = cast(list[dict[str, object]], node.get("Plans", []))
    return [node, *(found for child in below for found in walk(child))]
