"""Time of which no answer came, on payouts' database: paid once, bounded by what is reserved, never left unpaid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from preceptor.payouts.v1 import events_pb2 as events
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.db import Scope
from services.payouts.domain.earning import ReserveReleased, TermsContradicted
from services.payouts.usecases.list_earnings import list_earnings
from services.payouts.usecases.release_reserves import CompletionContradicted
from services.payouts.usecases.trace_task import trace_task
from tests.support.databases import Databases
from tests.support.payouts import Market, completed, decided, open_market, statements


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open()
        yield opened


async def test_a_time_is_paid_from_the_reserve_and_goes_the_way_of_all_money(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch(times=1)
    time = market.time(batch, expert, 100)

    await market.react(time)

    assert await market.stages(expert) == (1000, 0, 0)
    assert await market.balance("platform:fee") == 200
    [line] = await market.run(lambda tx: list_earnings(tx, expert, None, 9))
    assert (line.answer_id, line.time_id, line.amount, line.state) == (None, UUID(time.time_id), 1000, "HELD")
    assert line.hold_reason is not None
    [told] = await market.events(events.EarningAccrued)
    assert (told.time_id, told.answer_id, told.amount_minor) == (time.time_id, "", 1000)
    await market.release()
    await market.gather()
    await market.send()
    assert await market.balance("provider:double:clearing") == 1000
    steps = [step.kind for step in await market.run(lambda tx: trace_task(tx, market.context, UUID(time.task_id)))]
    assert {"earned", "payable", "in a payout", "payout paid", "bank line paid"} <= set(steps)
    assert await market.findings() == ()


async def test_a_repeat_moves_nothing_even_with_an_empty_inbox(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch(times=2)
    time = market.time(batch, expert)

    for _ in range(3):
        await market.react(time, time)

    assert await market.stages(expert) == (500, 0, 0)
    assert len(await market.fetch("SELECT FROM earning")) == 1
    assert await market.findings() == ()


@pytest.mark.parametrize("first", ["completed", "times"])
async def test_a_reserve_waits_for_times_as_for_answers(market: Market, first: str) -> None:
    expert, batch = await market.expert(), await market.batch(answers=1, times=2)
    answer = market.answer(batch, expert)
    times = [market.time(batch, expert, seconds) for seconds in (100, 25)]
    end = completed(batch, market.vendor_id, 1, 2)
    before = await market.balance(f"vendor:{market.vendor_id}:prefund")
    await market.react(answer, decided(answer))

    await market.react(*([end] if first == "completed" else times))
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == before
    await market.react(*(times if first == "completed" else [end]))

    assert await market.balance(f"batch:{batch}:reserve") == 0
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == before + 900
    assert await market.stages(expert) == (2250, 0, 0)
    with pytest.raises(ReserveReleased):
        await market.react(market.time(batch, expert))
    assert await market.findings() == ()


async def test_what_is_beyond_the_reserved_number_of_times_is_the_platforms_expense(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch(answers=1, times=1)
    answer = market.answer(batch, expert)

    await market.react(*(market.time(batch, expert, 100) for _ in range(3)))
    await market.react(answer, decided(answer), completed(batch, market.vendor_id, 1, 3))

    assert await market.stages(expert) == (4000, 0, 0)
    assert await market.balance("platform:adjustment_expense") == -2000
    assert await market.balance("platform:fee") == 400
    assert await market.balance(f"batch:{batch}:reserve") == 0
    assert await market.findings() == ()


async def test_a_time_too_short_to_be_worth_anything_counts_and_makes_no_line(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch(answers=0, times=1, seconds=1)

    await market.react(market.time(batch, expert, 1, amount=10), completed(batch, market.vendor_id, 0, 1))

    assert await market.stages(expert) == (0, 0, 0)
    assert await market.fetch("SELECT FROM earning") == []
    assert await market.balance(f"batch:{batch}:reserve") == 0
    assert await market.findings() == ()


async def test_times_that_contradict_the_reserve_or_the_number_are_poison(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch(times=1)
    for wrong in (
        market.time(batch, expert, amount=1001),
        market.time(batch, expert, currency="EUR"),
        market.time(batch, expert, 101),
        market.time(uuid4(), expert),
    ):
        with pytest.raises(TermsContradicted):
            await market.react(wrong)
    await market.react(market.time(batch, expert))
    with pytest.raises(CompletionContradicted):
        await market.react(completed(batch, market.vendor_id, 0, 0))
    assert await market.stages(expert) == (500, 0, 0)


async def test_ten_times_take_as_many_statements_as_one_and_no_other_vendor_sees_them(market: Market) -> None:
    experts = [await market.expert() for _ in range(3)]
    batch = await market.batch(times=20)
    counts = []
    for number in (1, 10):
        times: list[tasking.TimeRecorded] = [market.time(batch, experts[n % 3]) for n in range(number)]
        with statements() as made:
            await market.react(*times)
        counts.append(len(made))

    assert counts[0] == counts[1]
    async with market.database.transaction(Scope.vendor(uuid4())) as tx:
        assert await tx.fetchval("SELECT count(*) FROM paid_time") == 0
