"""SkillChanged: the better an expert's skill is known in the work at hand, the less gold they get."""

from __future__ import annotations

from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.events_pb2 import Skill, SkillChanged
from preceptor.work.v1.work_pb2 import DOMAIN_CREATIVE_WRITING, DOMAIN_TECHNOLOGY, TASK_TYPE_PAIRWISE_PREFERENCE

from services.tasking.reactions import on_skill_changed
from services.tasking.usecases.claim_task import claim_task
from tests.support.tasking import World, answer, new_task


@pytest_asyncio.fixture
async def world(world: World) -> World:
    """Gold at every claim of whom nothing is known, at none of whose skill is."""
    return world.sharing_gold(1.0, 0.0)


async def with_gold(world: World) -> None:
    rows = [new_task(f"t{n}", n) for n in range(60)]
    rows += [new_task(f"g{n}", 60 + n, gold=answer(3)) for n in range(60)]
    await world.opened(rows, await world.project(1, 5))


def changed(
    expert: UUID, version: int = 1, width: float = 0.05, *, alarm: bool = False, domain: int = DOMAIN_CREATIVE_WRITING
) -> SkillChanged:
    skill = Skill(task_type=TASK_TYPE_PAIRWISE_PREFERENCE, mean=0.9, lower=0.9 - width / 2, upper=0.9 + width / 2)
    skill.alarm, skill.domain = alarm, domain  # type: ignore[assignment]
    return SkillChanged(expert_id=str(expert), version=version, skills=[skill])


async def gets_gold(world: World, expert: UUID) -> bool:
    """Whether a claim gives gold; what it gives is returned."""
    slot = await world.lease(expert)
    await world.give_back(slot)
    return bool((await world.row("SELECT kind FROM task WHERE task_id = $1", slot["task_id"]))["kind"] == 3)


async def test_of_whom_nothing_is_known_gold_is_asked_at_the_share_of_new_ones(world: World) -> None:
    await with_gold(world)
    assert await gets_gold(world, await world.expert())


async def test_whose_skill_is_known_gets_gold_at_the_share_of_known_ones(world: World) -> None:
    await with_gold(world)
    expert = await world.expert()
    await world.react(on_skill_changed.react, changed(expert))
    assert not await gets_gold(world, expert)


async def test_a_skill_in_another_domain_says_nothing(world: World) -> None:
    await with_gold(world)
    expert = await world.expert()
    await world.react(on_skill_changed.react, changed(expert, domain=DOMAIN_TECHNOLOGY))
    assert await gets_gold(world, expert)


async def test_while_an_alarm_stands_gold_is_given_as_to_new_ones(world: World) -> None:
    await with_gold(world)
    expert = await world.expert()
    await world.react(on_skill_changed.react, changed(expert, 1, alarm=True))
    assert await gets_gold(world, expert)
    await world.react(on_skill_changed.react, changed(expert, 2))
    assert not await gets_gold(world, expert)


async def test_in_between_gold_is_given_by_the_width(world: World) -> None:
    # 0.3 wide: half way from known to new, so that one claim in two gives gold where the shares are 1 and 0.
    await with_gold(world)
    expert = await world.expert()
    await world.react(on_skill_changed.react, changed(expert, width=0.3))
    seen = [await gets_gold(world, expert) for _ in range(50)]
    assert 10 <= sum(seen) <= 40, "outside once in a hundred thousand runs"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("together", [True, False])
async def test_the_newest_version_counts_in_whatever_order_they_come(
    world: World, order: tuple[int, int], together: bool
) -> None:
    expert = await world.expert()
    versions = [changed(expert, 1, alarm=True), changed(expert, 2)]
    told = [versions[place] for place in order]
    for batch in [told] if together else [[one] for one in told]:
        await world.react(on_skill_changed.react, *batch)
    row = await world.row("SELECT version, doubt FROM expert_skill WHERE expert_id = $1", expert)
    assert tuple(row) == (2, 0.0)


async def test_the_draw_is_a_part_of_the_statement_that_gives_gold(world: World) -> None:
    await with_gold(world)
    [first, new, known] = await world.experts(3)  # the first lets the driver ask the server about types
    await world.react(on_skill_changed.react, changed(known))
    counts = [await statements_of_a_claim(world, expert) for expert in (first, new, known)]
    assert counts[1:] == [4, 4], "the draw of known ones gives no gold, and then there is work, lease and all"


async def statements_of_a_claim(world: World, expert: UUID) -> int:
    return await world.statements(lambda tx: claim_task(tx, expert, None, world.context.settings))
