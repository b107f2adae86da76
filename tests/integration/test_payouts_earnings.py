"""From decisions to held, payable and released money, on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from preceptor.payouts.v1 import events_pb2 as events
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.db import Scope
from chassis.ids import new_id
from services.payouts.domain.earning import LoweredByNobody, ReserveReleased, TermsContradicted
from services.payouts.usecases.list_earnings import Earning, list_earnings
from services.payouts.usecases.release_reserves import CompletionContradicted
from tests.support.databases import Databases
from tests.support.payouts import Market, completed, decided, expert_changed, open_market, statements, vendor_changed

PERSON = tasking.DECIDED_BY_PERSON


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open()
        yield opened


@pytest_asyncio.fixture
async def careful(databases: Databases) -> AsyncIterator[Market]:
    """A market that holds lines for long."""
    review, first = timedelta(hours=72), timedelta(days=7)
    async with open_market(databases, review_window=review, first_payout_hold=first) as opened:
        await opened.open()
        yield opened


async def lines(
    market: Market, expert: UUID, after: tuple[datetime, UUID] | None = None, size: int = 100
) -> list[Earning]:
    return await market.run(lambda tx: list_earnings(tx, expert, after, size))


async def test_many_answers_and_decisions_in_one_batch_are_each_paid_once(market: Market) -> None:
    experts = [await market.expert() for _ in range(2)]
    batch = await market.batch(answers=40)
    answers = [market.answer(batch, experts[n % 2]) for n in range(40)]
    await market.react(*(decided(answer) for answer in answers[:20]))
    await market.react(*answers)
    await market.react(*(decided(answer) for answer in answers[20:]))
    assert [await market.stages(expert) for expert in experts] == [(20_000, 0, 0)] * 2
    assert await market.balance("platform:fee") == 8000
    assert len(await market.events(events.EarningAccrued)) == 40
    assert await market.findings() == ()


async def test_reactions_take_the_same_number_of_statements_for_any_number_of_events(market: Market) -> None:
    expert, counts = await market.expert(), []
    for size in (2, 2, 200):  # the first payout of an expert does a little more
        batch = await market.batch(answers=size)
        answers = [market.answer(batch, expert) for _ in range(size)]
        with statements() as made:
            await market.react(*answers)
            await market.react(*(decided(answer) for answer in answers))
            await market.react(*(decided(answer, 5000, 2, PERSON) for answer in answers))
            await market.release()
            await market.gather()
            await market.send()
        counts.append(len(made))
    assert counts[1] == counts[2]


async def test_a_replay_with_an_empty_inbox_moves_nothing(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch()
    answer = market.answer(batch, expert)
    for _ in range(3):
        await market.react(answer, decided(answer), completed(batch, market.vendor_id, 1))
    assert await market.stages(expert) == (1000, 0, 0)
    assert len(await market.events(events.EarningAccrued)) == 1
    assert await market.findings() == ()


async def test_a_later_verdict_moves_the_difference(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch()
    answer = market.answer(batch, expert)
    await market.react(answer, decided(answer, 0, 1, PERSON))
    assert await lines(market, expert) == []
    await market.react(decided(answer, 4000, 2))
    await market.react(decided(answer, 10_000, 4), decided(answer, 5000, 3))
    assert await market.stages(expert) == (1000, 0, 0)
    await market.react(decided(answer, 1000, 5, PERSON))
    assert await market.stages(expert) == (100, 0, 0)
    assert await market.balance("platform:fee") == 20
    left = sorted((line.amount, line.state) for line in await lines(market, expert))
    assert left == [(0, "WITHDRAWN"), (0, "WITHDRAWN"), (100, "HELD")]
    assert await market.findings() == ()


async def test_what_is_payable_is_never_taken_back(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch()
    answer = market.answer(batch, expert)
    await market.react(answer, decided(answer))
    await market.release()
    await market.react(decided(answer, 0, 2, PERSON))
    assert await market.stages(expert) == (0, 1000, 0)
    assert await market.findings() == ()


async def test_a_lower_verdict_by_nobody_is_poison_and_changes_nothing(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch()
    answer = market.answer(batch, expert)
    await market.react(answer, decided(answer))
    with pytest.raises(LoweredByNobody):
        await market.react(decided(answer, 9000, 2))
    assert await market.stages(expert) == (1000, 0, 0)


async def test_terms_that_contradict_the_reserve_are_poison(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch()
    for wrong in (
        market.answer(batch, expert, amount=1001),
        market.answer(batch, expert, currency="EUR"),
        market.answer(batch, expert, rate_card_version=7),
        market.answer(new_id(), expert),
    ):
        with pytest.raises(TermsContradicted):
            await market.react(wrong)
    assert await market.fetch("SELECT FROM half") == []


@pytest.mark.parametrize("first", ["completed", "decided"])
async def test_the_rest_of_a_reserve_is_released_when_as_many_are_joined(market: Market, first: str) -> None:
    expert, batch = await market.expert(), await market.batch(answers=10)
    answers = [market.answer(batch, expert) for _ in range(3)]
    verdicts = [decided(answers[0]), decided(answers[1], 2500, by=PERSON), decided(answers[2], 0, by=PERSON)]
    end = completed(batch, market.vendor_id, 3)
    before = await market.balance(f"vendor:{market.vendor_id}:prefund")
    await market.react(*answers)
    await market.react(*([end] if first == "completed" else verdicts))
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == before
    await market.react(*(verdicts if first == "completed" else [end]))
    # 900 and 1200 with the fee are what the two that were not paid in full could still win.
    assert await market.balance(f"batch:{batch}:reserve") == 900 + 1200
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == before + 12_000 - 1200 - 300 - 2100
    [row] = await market.fetch("SELECT released, kept, released_at FROM reserve")
    assert (row["released"], row["kept"]) == (8400, 2100)
    told = events.BudgetReleased(batch_id=str(batch), currency="USD", released_minor=8400, kept_minor=2100)
    assert await market.events(events.BudgetReleased) == [told]
    await market.react(decided(answers[2], 10_000, 2, PERSON))
    assert await market.stages(expert) == (2250, 0, 0)
    assert await market.events(events.BudgetReleased) == [told]
    assert await market.findings() == ()


async def test_a_release_that_is_rolled_back_is_not_told_and_the_next_try_tells_it_once(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch(answers=10)
    answer, end = market.answer(batch, expert), completed(batch, market.vendor_id, 1)
    await market.react(answer, decided(answer))
    with pytest.raises(CompletionContradicted):
        await market.react(end, completed(new_id(), market.vendor_id, 1))
    assert await market.events(events.BudgetReleased) == []
    for _ in range(3):
        await market.react(end, answer, decided(answer))
    [told] = await market.events(events.BudgetReleased)
    assert (told.released_minor, told.kept_minor) == (10_800, 0)
    assert await market.balance(f"batch:{batch}:reserve") == 0


async def test_numbers_that_contradict_each_other_are_poison(market: Market) -> None:
    expert, batch = await market.expert(), await market.batch()
    answer, late = market.answer(batch, expert), market.answer(batch, expert)
    await market.react(answer, decided(answer))
    for wrong in (completed(batch, market.vendor_id, 0), completed(batch, uuid4(), 1), completed(new_id(), uuid4(), 1)):
        with pytest.raises(CompletionContradicted):
            await market.react(wrong)
    await market.react(completed(batch, market.vendor_id, 1))
    with pytest.raises(CompletionContradicted):
        await market.react(completed(batch, market.vendor_id, 2))
    with pytest.raises(ReserveReleased):
        await market.react(late, decided(late))


async def test_a_line_is_held_with_a_reason_and_an_end_that_its_expert_sees(careful: Market) -> None:
    expert, batch = await careful.expert(), await careful.batch()
    answer = careful.answer(batch, expert)
    await careful.react(answer, decided(answer))
    assert await careful.release() == 0
    [line] = await lines(careful, expert)
    assert (line.state, line.hold_reason) == ("HELD", "FIRST_PAYOUT_HOLD")
    assert line.hold_until - line.created_at == timedelta(days=7)
    [told] = await careful.events(events.EarningAccrued)
    assert told.hold_until.ToDatetime(line.hold_until.tzinfo) == line.hold_until


async def test_a_failed_check_holds_the_line_until_it_passes(careful: Market) -> None:
    expert, batch = await careful.expert(eligible=False), await careful.batch()
    await careful.react(vendor_changed(careful.vendor_id, 2, active=False))
    answer = careful.answer(batch, expert)
    await careful.react(answer, decided(answer))
    assert {line.hold_reason for line in await lines(careful, expert)} == {"NOT_ELIGIBLE"}
    await careful.react(expert_changed(expert, 2))
    assert {line.hold_reason for line in await lines(careful, expert)} == {"VENDOR_NOT_ACTIVE"}
    await careful.react(vendor_changed(careful.vendor_id, 3))
    [line] = await lines(careful, expert)
    assert (line.hold_reason, line.hold_until - line.created_at) == ("FIRST_PAYOUT_HOLD", timedelta(days=7))


async def test_an_expert_who_is_known_later_is_held_no_longer_than_others(careful: Market) -> None:
    expert, batch = new_id(), await careful.batch()
    answer = careful.answer(batch, expert)
    await careful.react(answer, decided(answer))
    await careful.react(expert_changed(expert))
    [line] = await lines(careful, expert)
    assert line.hold_until - line.created_at == timedelta(days=7)


async def test_pages_of_earnings_are_the_whole_list(market: Market) -> None:
    expert = await market.expert()
    for _ in range(3):
        await market.earn(expert)
    whole, page, found = await lines(market, expert), list[Earning](), list[Earning]()
    while not found or page:
        after = (found[-1].created_at, found[-1].id) if found else None
        page = await lines(market, expert, after, 4)
        found += page
    assert found == whole
    assert len(whole) == 6


async def test_a_vendor_sees_no_other_vendors_lines(market: Market) -> None:
    await market.earn(await market.expert())
    async with market.database.transaction(Scope.vendor(uuid4())) as tx:
        for table in ("answer", "earning", "hold"):
            assert await tx.fetchval("SELECT count(*) FROM " + table) == 0
