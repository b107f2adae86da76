"""Opening a batch: what is asked of payouts, and what follows from its answers, stale ones among them."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from preceptor.payouts.v1.events_pb2 import (
    BUDGET_REFUSAL_PREFUND_TOO_LOW,
    BudgetRefused,
    BudgetReleased,
    RateCardPublished,
)
from preceptor.tasking.v1.batch_pb2 import (
    BATCH_STATE_HALTED_BUDGET,
    BATCH_STATE_OPEN,
    BATCH_STATE_STAGING,
    BATCH_STATE_VALIDATING,
)
from preceptor.tasking.v1.events_pb2 import BatchFundingRequested, BatchOpened, TierNeed

from chassis import money
from chassis.errors import ServiceError
from chassis.ids import new_id
from services.tasking.api.batch import to_batch
from services.tasking.domain.budget import BatchTooCostly, PriceTooLow
from services.tasking.domain.upload import BatchEmpty, BatchFull, BatchNotOpenable
from services.tasking.reactions import (
    on_budget_refused,
    on_budget_released,
    on_budget_reserved,
    on_rate_card_published,
)
from services.tasking.usecases import complete_batches
from services.tasking.usecases.create_project import RateCardUnknown, TierUnknown, VendorNotActive
from services.tasking.usecases.get_batch import get_batch
from services.tasking.usecases.open_batch import open_batch
from services.tasking.usecases.upload_batch import store_chunk
from tests.support.tasking import FEE, PRICE, World, new_task, reserved, scored

BATCH = "SELECT * FROM batch WHERE batch_id = $1"


async def request(world: World, batch_id: UUID) -> BatchFundingRequested:
    await world.do(lambda tx: open_batch(tx, batch_id))
    return (await world.events(BatchFundingRequested))[-1]


def refused(asked: BatchFundingRequested, missing: int = 4_200) -> BudgetRefused:
    return BudgetRefused(
        batch_id=asked.batch_id,
        attempt=asked.attempt,
        refusal=BUDGET_REFUSAL_PREFUND_TOO_LOW,
        missing_minor=missing,
        currency="USD",
    )


async def test_opening_asks_for_the_worst_case_at_the_standing_rate_card(world: World) -> None:
    await world.publish_rates(version=3)
    project = await world.project(greatest=5)
    batch_id = await world.staged(4, project)
    assert await request(world, batch_id) == BatchFundingRequested(
        batch_id=str(batch_id),
        attempt=1,
        vendor_id=str(world.vendor_id),
        project_id=str(project),
        rate_card_id=str(world.rate_card_id),
        rate_card_version=3,
        currency="USD",
        tiers=[TierNeed(tier="P1", answers=20, surplus=20, seconds_each=90, amount_minor_each=PRICE, times=2)],
        fee_minor=42 * 30,
        total_minor=42 * 180,
    )
    assert (await world.row(BATCH, batch_id))["state"] == BATCH_STATE_VALIDATING


async def test_a_reserve_opens_the_batch_with_its_terms_and_says_so_once(world: World) -> None:
    batch_id = await world.staged(4)
    told = reserved(await request(world, batch_id))
    await world.react(on_budget_reserved.react, told, told)
    await world.react(on_budget_reserved.react, told)
    row = await world.row(BATCH, batch_id)
    assert (row["state"], row["price_minor"], row["currency"]) == (BATCH_STATE_OPEN, PRICE, "USD")
    assert (row["rate_card_version"], row["fee_basis_points"]) == (1, FEE)
    assert row["reserved_minor"] == told.reserved_minor
    assert await world.events(BatchOpened) == [
        BatchOpened(batch_id=str(batch_id), vendor_id=str(world.vendor_id), project_id=str(row["project_id"]), tasks=4)
    ]


@pytest.mark.parametrize(("floor", "cap", "price"), [(1, 140, 140), (160, 900, 160), (1, 900, PRICE)])
async def test_the_price_lies_between_the_reserved_floor_and_cap(
    world: World, floor: int, cap: int, price: int
) -> None:
    batch_id = await world.staged()
    told = reserved(await request(world, batch_id))
    told.tiers[0].floor_minor, told.tiers[0].cap_minor = floor, cap
    await world.react(on_budget_reserved.react, told)
    assert (await world.row(BATCH, batch_id))["price_minor"] == price


async def test_terms_without_the_projects_tier_are_poison_with_a_reason(world: World) -> None:
    told = reserved(await request(world, await world.staged()))
    told.tiers[0].tier = "P9"
    with pytest.raises(TierUnknown) as raised:
        await world.react(on_budget_reserved.react, told)
    assert not raised.value.retryable


async def test_a_refusal_halts_the_batch_and_the_next_attempt_opens_it(world: World) -> None:
    batch_id = await world.staged()
    first = await request(world, batch_id)
    await world.react(on_budget_refused.react, refused(first))
    halted = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    assert (halted.state, halted.state_reason) == (BATCH_STATE_HALTED_BUDGET, "PREFUND_TOO_LOW")
    assert (halted.missing.units, halted.missing.currency_code) == (42, "USD")
    second = await request(world, batch_id)
    assert (first.attempt, second.attempt) == (1, 2)
    await world.react(on_budget_reserved.react, reserved(second))
    opened = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    assert (opened.state, opened.state_reason) == (BATCH_STATE_OPEN, "")
    assert not opened.HasField("missing")


async def test_a_refusal_for_a_reason_that_is_not_known_yet_halts_the_batch_too(world: World) -> None:
    batch_id = await world.staged()
    unknown = refused(await request(world, batch_id))
    unknown.refusal = 99  # type: ignore[assignment]
    await world.react(on_budget_refused.react, unknown)
    halted = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    assert (halted.state, halted.state_reason) == (BATCH_STATE_HALTED_BUDGET, "UNSPECIFIED")


async def test_a_refusal_without_a_currency_tells_no_amount(world: World) -> None:
    batch_id = await world.staged()
    told = refused(await request(world, batch_id))
    told.currency = ""
    await world.react(on_budget_refused.react, told)
    halted = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    assert (halted.state, halted.HasField("missing")) == (BATCH_STATE_HALTED_BUDGET, False)


async def test_a_currency_that_no_amount_could_be_shown_in_is_not_taken_from_payouts(world: World) -> None:
    batch_id = await world.staged()
    asked = await request(world, batch_id)
    refusal, reserve = refused(asked), reserved(asked)
    card = RateCardPublished(rate_card_id=str(world.rate_card_id), version=9, currency="ZZZ")
    refusal.currency = reserve.currency = "ZZZ"
    with pytest.raises(money.UnknownCurrency):
        await world.react(on_budget_refused.react, refusal)
    with pytest.raises(money.UnknownCurrency):
        await world.react(on_budget_reserved.react, reserve)
    with pytest.raises(money.UnknownCurrency):
        await world.react(on_rate_card_published.react, card)
    assert to_batch(await world.do(lambda tx: get_batch(tx, batch_id))).state == BATCH_STATE_VALIDATING


async def test_answers_to_an_attempt_that_is_over_are_ignored(world: World) -> None:
    batch_id = await world.staged()
    first = await request(world, batch_id)
    await world.react(on_budget_refused.react, refused(first))
    await request(world, batch_id)
    await world.react(on_budget_reserved.react, reserved(first))
    await world.react(on_budget_refused.react, refused(first))
    row = await world.row(BATCH, batch_id)
    assert (row["state"], row["attempt"], row["missing_minor"]) == (BATCH_STATE_VALIDATING, 2, None)
    assert await world.events(BatchOpened) == []


async def test_a_refusal_after_the_reserve_does_not_close_an_open_batch(world: World) -> None:
    batch_id = await world.staged()
    asked = await request(world, batch_id)
    await world.react(on_budget_reserved.react, reserved(asked))
    await world.react(on_budget_refused.react, refused(asked))
    assert (await world.row(BATCH, batch_id))["state"] == BATCH_STATE_OPEN


async def test_many_batches_are_opened_at_once(world: World) -> None:
    project = await world.project()
    asked = [await request(world, await world.staged(1, project, f"b{n}")) for n in range(5)]
    await world.react(on_budget_reserved.react, *map(reserved, asked))
    assert [row["state"] for row in await world.rows("SELECT state FROM batch")] == [BATCH_STATE_OPEN] * 5
    assert len(await world.events(BatchOpened)) == 5


@pytest.mark.parametrize("state", [BATCH_STATE_VALIDATING, BATCH_STATE_OPEN])
async def test_a_batch_is_not_opened_twice(world: World, state: int) -> None:
    batch_id = await world.staged()
    asked = await request(world, batch_id)
    if state == BATCH_STATE_OPEN:
        await world.react(on_budget_reserved.react, reserved(asked))
    with pytest.raises(BatchNotOpenable):
        await request(world, batch_id)
    assert len(await world.events(BatchFundingRequested)) == 1


async def test_an_empty_batch_is_not_opened(world: World) -> None:
    batch_id = await world.staged(0)
    with pytest.raises(BatchEmpty):
        await request(world, batch_id)
    assert (await world.row(BATCH, batch_id))["state"] == BATCH_STATE_STAGING


async def test_answers_that_would_cost_nothing_are_not_asked_for(world: World) -> None:
    batch_id = await world.staged()
    await world.publish_rates(version=2, rate=19)
    with pytest.raises(PriceTooLow):
        await request(world, batch_id)


async def test_a_project_needs_an_active_vendor_and_a_known_tier(world: World) -> None:
    for make, reason, field in (
        (world.project(vendor_id=new_id()), VendorNotActive.reason, None),
        (world.project(tier="P9"), TierUnknown.reason, "project.tier"),
        (replace(world, rate_card_id=new_id()).project(), RateCardUnknown.reason, "project.rate_card"),
    ):
        with pytest.raises(ServiceError) as raised:
            await make
        assert (raised.value.reason, raised.value.field) == (reason, field)
    assert await world.rows("SELECT FROM project") == []


RATE, DAY = 10**12, 86_400  # the largest that doors let in


async def test_a_batch_that_costs_more_than_can_be_reserved_is_refused_at_its_upload_by_what_is_too_large(
    world: World,
) -> None:
    await world.publish_rates(version=2, rate=RATE)
    project = await world.project(1, 1, seconds=DAY)
    with pytest.raises(BatchTooCostly) as refused:
        await world.staged(3000, project)
    assert refused.value.field == "chunk.tasks"
    assert refused.value.metadata["most_minor"] == str(money.GREATEST_AMOUNT)
    assert await request(world, await world.staged(16, project, "b2"))


async def test_a_batch_that_dearer_rates_have_made_too_costly_is_refused_at_its_opening(world: World) -> None:
    project = await world.project(1, 1, seconds=DAY)
    batch_id = await world.staged(3000, project)
    await world.publish_rates(version=2, rate=RATE)
    with pytest.raises(BatchTooCostly) as refused:
        await request(world, batch_id)
    assert refused.value.field == "name"
    assert (await world.row(BATCH, batch_id))["state"] == BATCH_STATE_STAGING


async def test_a_project_of_which_no_batch_could_be_opened_is_none(world: World) -> None:
    await world.publish_rates(version=2, rate=RATE)
    with pytest.raises(BatchTooCostly) as refused:
        await world.project(1, 50, seconds=DAY)
    assert refused.value.field == "project.expected_seconds"
    await world.publish_rates(version=3, rate=1)
    with pytest.raises(PriceTooLow):
        await world.project(seconds=60)


async def test_a_batch_is_full_at_a_million_tasks(world: World) -> None:
    batch_id = await world.staged(1, await world.project())
    await world.do(lambda tx: tx.execute("UPDATE batch SET tasks = 1000000 WHERE batch_id = $1", batch_id))
    with pytest.raises(BatchFull):
        await world.do(lambda tx: store_chunk(tx, batch_id, 2, [new_task("one more", 1)]))


async def shown(world: World, batch_id: UUID) -> tuple[int, int, int]:
    """Reserved, spent and released of a batch, in minor units; the last is -1 where it is absent."""
    batch = to_batch(await world.do(lambda tx: get_batch(tx, batch_id)))
    left, spent, back = (m.units * 100 + m.nanos // 10**7 for m in (batch.reserved, batch.spent, batch.released))
    return left, spent, back if batch.HasField("released") else -1


async def test_a_complete_batch_tells_what_it_gave_back_and_that_nothing_is_reserved(world: World) -> None:
    batch_id = await world.opened(1, await world.project(1, 1))
    whole = 3 * (PRICE + 30)
    assert await shown(world, batch_id) == (whole, 0, -1)
    answer_id = await world.answered()
    task_id = (await world.row("SELECT task_id FROM task"))["task_id"]
    await world.scores(scored(task_id, wanted=1, judged=[(answer_id, 10_000)]))
    assert await shown(world, batch_id) == (whole - 180, 180, -1)
    await world.tick(complete_batches.tick)
    told = BudgetReleased(batch_id=str(batch_id), currency="USD", released_minor=whole - 180)
    for _ in range(2):
        await world.react(on_budget_released.react, told)
    assert await shown(world, batch_id) == (0, 180, whole - 180)


async def test_what_is_kept_for_answers_that_may_be_raised_stays_reserved(world: World) -> None:
    batch_id = await world.opened(1, await world.project(1, 1))
    told = BudgetReleased(batch_id=str(batch_id), currency="USD", released_minor=360, kept_minor=100)
    await world.react(on_budget_released.react, told, told)
    assert await shown(world, batch_id) == (100, 0, 360)
