"""Routes of TaskScored: who gets a task that waits for a senior, for how long, and what its vendor is asked."""

from __future__ import annotations

from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest
from preceptor.scoring.v1.events_pb2 import (
    VERDICT_MORE_WANTED,
    VERDICT_RESOLVED,
    VERDICT_UNRESOLVED,
    Skill,
    SkillChanged,
    TaskScored,
)
from preceptor.tasking.v1.batch_pb2 import TASK_STATE_AVAILABLE, ListResultsRequest, TaskResult
from preceptor.work.v1.work_pb2 import (
    DOMAIN_CREATIVE_WRITING,
    DOMAIN_TECHNOLOGY,
    ROUTE_ANYONE,
    ROUTE_SENIOR,
    ROUTE_UNSPECIFIED,
    ROUTE_VENDOR,
    TASK_TYPE_PAIRWISE_PREFERENCE,
    Domain,
    LabelCount,
    OpenQuestion,
    OpenQuestions,
)

from chassis.db import Scope
from chassis.ids import name
from services.tasking.api import batch
from services.tasking.reactions import on_skill_changed
from services.tasking.usecases import open_to_all
from services.tasking.usecases.claim_task import claim_task
from tests.support.tasking import World, answer, new_task, scored, vendor_caller

ASKED = OpenQuestions(questions=[OpenQuestion(id="c2", said=[LabelCount(label="SUPPORTED", experts=3)])])
WAITING = """
INSERT INTO task (task_id, batch_id, project_id, vendor_id, position, item_key, payload, payload_hash, answers_wanted,
                  seats_taken, route, skill_wanted, senior_until)
SELECT gen_random_uuid(), b.batch_id, b.project_id, b.vendor_id, n, 'waits' || n, '', '', 3, 2, 2, 0.85, 'infinity'
FROM batch b, generate_series(10000, 10000 + $1) AS n
"""


def wants(task_id: UUID, skill: float, version: int = 1) -> TaskScored:
    """A third answer is wanted, of an expert of so much skill."""
    told = scored(task_id, version, VERDICT_MORE_WANTED, wanted=3)
    told.route, told.skill_wanted = (ROUTE_SENIOR, skill) if skill else (ROUTE_ANYONE, 0)
    return told


async def disputed(world: World, skill: float = 0.85, key: str = "b1") -> UUID:
    """The only task of a batch, to which two have given an answer; one more is wanted of so much skill."""
    batch_id = await world.opened(1, await world.project(least=2), key)
    for expert in await world.experts(2):
        await world.answered(expert)
    task_id = cast(UUID, (await world.row("SELECT task_id FROM task WHERE batch_id = $1", batch_id))["task_id"])
    await world.scores(wants(task_id, skill))
    return task_id


async def senior(
    world: World,
    mean: float,
    *,
    alarm: bool = False,
    domain: Domain.ValueType = DOMAIN_CREATIVE_WRITING,
) -> UUID:
    """A new expert whose skill is told."""
    expert = await world.expert()
    skill = Skill(task_type=TASK_TYPE_PAIRWISE_PREFERENCE, domain=domain, mean=mean, lower=mean, upper=mean)
    skill.alarm = alarm
    await world.react(on_skill_changed.react, SkillChanged(expert_id=str(expert), version=1, skills=[skill]))
    return expert


async def got(world: World, expert: UUID) -> UUID | None:
    """Which task an expert gets."""
    lease = await world.claim(expert)
    return lease["task_id"] if lease else None


async def result(world: World) -> TaskResult:
    """What the vendor sees of its only task."""
    batch_id = (await world.row("SELECT batch_id FROM batch"))["batch_id"]
    caller = vendor_caller(world.vendor_id)
    async with world.database.transaction(Scope.service()) as tx:
        listed = await batch.list_results(world.call(caller, tx), ListResultsRequest(parent=name("batches", batch_id)))
    [only] = listed.results
    return only


async def wait_over(world: World) -> int:
    await world.rows("UPDATE task SET senior_until = senior_until - $1::interval", timedelta(minutes=31))
    return await world.tick(open_to_all.tick)


async def test_a_task_that_waits_for_a_senior_is_passed_over_by_others_and_given_to_one(world: World) -> None:
    task = await disputed(world)
    assert await got(world, await world.expert()) is None
    assert await got(world, await senior(world, 0.84)) is None
    assert await got(world, await senior(world, 0.95, domain=DOMAIN_TECHNOLOGY)) is None
    assert await got(world, await senior(world, 0.95, alarm=True)) is None
    assert await got(world, await senior(world, 0.85)) == task


async def test_while_it_waits_others_get_other_work(world: World) -> None:
    waits = await disputed(world)
    await world.opened([new_task("other")], key="b2")
    other = await got(world, await world.expert())
    assert other not in (None, waits)


async def test_a_senior_gets_what_waits_for_seniors_first_and_of_that_what_wants_most_skill(world: World) -> None:
    tasks = [await disputed(world, skill, f"b{skill}") for skill in (0.8, 0.9, 0.85, 0.0)]
    experts = [await senior(world, 0.9) for _ in range(4)]
    assert [await got(world, expert) for expert in experts] == [tasks[place] for place in (1, 2, 0, 3)]


async def test_who_has_had_it_does_not_get_it_again_as_a_senior(world: World) -> None:
    task = await disputed(world)
    had = await world.row("SELECT expert_id FROM slot WHERE task_id = $1 LIMIT 1", task)
    skill = Skill(task_type=TASK_TYPE_PAIRWISE_PREFERENCE, domain=DOMAIN_CREATIVE_WRITING, mean=0.99)
    told = SkillChanged(expert_id=str(had["expert_id"]), version=1, skills=[skill])
    await world.react(on_skill_changed.react, told)
    assert await got(world, had["expert_id"]) is None


async def test_after_the_wait_anybody_gets_it(world: World) -> None:
    task = await disputed(world)
    assert await world.tick(open_to_all.tick) == 0
    assert await wait_over(world) == 1
    assert await got(world, await world.expert()) == task


async def test_a_senior_who_returns_it_leaves_it_to_seniors(world: World) -> None:
    task = await disputed(world)
    lease = await world.lease(await senior(world, 0.9))
    assert await got(world, await senior(world, 0.9)) is None  # there is one seat
    await world.give_back(lease)
    assert await got(world, await world.expert()) is None
    assert await got(world, await senior(world, 0.9)) == task


async def test_the_next_scoring_ends_the_wait_or_begins_another(world: World) -> None:
    task = await disputed(world)
    await world.scores(wants(task, 0.9, 2))
    assert await got(world, await senior(world, 0.85)) is None
    await world.scores(wants(task, 0.0, 3))
    assert await got(world, await world.expert()) == task


async def test_gold_is_given_only_beside_work_that_is_not_for_seniors(world: World) -> None:
    project = await world.project(1, 5)
    await world.opened([new_task("work"), new_task("gold", 1, gold=answer(3))], project)
    work = await world.row("SELECT task_id FROM task WHERE kind = 1")
    await world.scores(wants(work["task_id"], 0.85))
    always = world.context.settings.model_copy(update={"gold_share_new": 1.0})
    newcomer = await world.expert()
    assert await world.do(lambda tx: claim_task(tx, newcomer, None, always)) is None
    await wait_over(world)
    assert await world.do(lambda tx: claim_task(tx, newcomer, None, always)) is not None


async def test_what_waits_for_seniors_is_not_read_by_others_claims(world: World) -> None:
    await world.opened(1)
    await world.rows(WAITING, 5_000)
    reads = "SELECT pg_stat_get_xact_tuples_fetched('task_senior'::regclass) AS n"
    newcomer = await world.expert()
    async with world.database.transaction(Scope.service()) as tx:
        before = await tx.fetchval(reads)
        assert await claim_task(tx, newcomer, None, world.context.settings) is not None
        assert await tx.fetchval(reads) == before


async def test_the_vendor_sees_who_is_asked_next_and_in_the_end_what_is_asked_of_them(world: World) -> None:
    task = await disputed(world)
    assert ((await result(world)).state, (await result(world)).route) == (TASK_STATE_AVAILABLE, ROUTE_SENIOR)
    await wait_over(world)
    assert (await result(world)).route == ROUTE_ANYONE
    unsettled = scored(task, 2, VERDICT_UNRESOLVED, wanted=3)
    unsettled.route = ROUTE_VENDOR
    unsettled.open_questions.CopyFrom(ASKED)
    await world.scores(unsettled)
    told = await result(world)
    assert (told.route, told.open_questions) == (ROUTE_VENDOR, ASKED)
    await world.scores(scored(task, 3, VERDICT_RESOLVED, wanted=3))
    told = await result(world)
    assert (told.route, told.HasField("open_questions")) == (ROUTE_UNSPECIFIED, False)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
async def test_an_older_scoring_takes_nothing_from_a_newer_one(world: World, order: tuple[int, int]) -> None:
    task = await disputed(world, 0.0)
    told = {1: wants(task, 0.9, 2), 2: wants(task, 0.8, 3)}
    for each in order:
        await world.scores(told[each])
    assert (await world.row("SELECT skill_wanted FROM task"))["skill_wanted"] == 0.8
