"""Rate cards, deposits and reserves on a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from preceptor.payouts.v1 import events_pb2 as events

from chassis.db import Scope
from chassis.ids import new_id
from chassis.money import InvalidMoney
from services.payouts.domain.deposit import BankReferenceBooked
from services.payouts.domain.funding import FundingContradicted
from services.payouts.usecases import rate_cards
from services.payouts.usecases.deposit_funds import VendorNotKnown, deposit_funds
from services.payouts.usecases.get_funds import Funds, funds_of
from services.payouts.usecases.rate_cards import CurrencyFixed, RateCardNotFound
from tests.support.databases import Databases
from tests.support.payouts import NOBODY, Market, open_market, vendor_changed


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open(deposit=30_000)
        yield opened


async def republish(market: Market) -> None:
    await market.run(lambda tx: rate_cards.publish(tx, market.card.id, "USD", [("P1", 40_000)], 0, NOBODY))


async def test_each_publication_is_the_next_version_and_is_told(market: Market) -> None:
    await republish(market)
    newest = await market.run(lambda tx: rate_cards.newest(tx, market.card.id))
    assert (newest.version, newest.rates, newest.fee_basis_points) == (2, {"P1": 40_000}, 0)
    told = await market.events(events.RateCardPublished)
    assert [(event.version, event.tiers[0].rate_minor_per_hour) for event in told] == [(1, 36_000), (2, 40_000)]


async def test_a_card_keeps_its_currency_and_must_exist(market: Market) -> None:
    with pytest.raises(CurrencyFixed):
        await market.run(lambda tx: rate_cards.publish(tx, market.card.id, "EUR", [("P1", 1)], 0, NOBODY))
    with pytest.raises(RateCardNotFound):
        await market.run(lambda tx: rate_cards.publish(tx, uuid4(), "USD", [("P1", 1)], 0, NOBODY))
    with pytest.raises(RateCardNotFound):
        await market.run(lambda tx: rate_cards.newest(tx, uuid4()))


async def test_a_line_of_the_bank_is_booked_once_for_ever(market: Market) -> None:
    async def book(amount: int, line: str, vendor: UUID = market.vendor_id) -> None:
        await market.run(lambda tx: deposit_funds(tx, vendor, amount, "USD", line, NOBODY))

    await book(1, "line-1")
    for amount in (1, 2):
        with pytest.raises(BankReferenceBooked):
            await book(amount, "line-1")
    with pytest.raises(VendorNotKnown):
        await book(1, "line-2", uuid4())
    with pytest.raises(InvalidMoney):
        await book(0, "line-3")
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == 30_001


async def test_a_vendor_sees_its_own_funds_only(market: Market) -> None:
    await market.batch(answers=10)
    async with market.database.transaction(Scope.vendor(market.vendor_id)) as tx:
        assert await funds_of(tx, market.vendor_id, "USD") == Funds("USD", 18_000, 12_000)
        assert await tx.fetchval("SELECT count(*) FROM reserve") == 1
    async with market.database.transaction(Scope.vendor(uuid4())) as tx:
        assert await funds_of(tx, market.vendor_id, "USD") == Funds("USD", 0, 0)
        for table in ("deposit", "reserve", "reserve_tier", "funding_attempt", "vendor", "expert"):
            assert await tx.fetchval("SELECT count(*) FROM " + table) == 0


async def test_a_reserve_is_told_with_its_terms_and_a_replay_is_told_nothing(market: Market) -> None:
    batch = new_id()
    asked = market.funding(batch, answers=10)
    for _ in range(2):
        await market.react(asked, asked)
    [reserved] = await market.events(events.BudgetReserved)
    assert (reserved.batch_id, reserved.attempt, reserved.reserved_minor) == (str(batch), 1, 12_000)
    [tier] = reserved.tiers
    assert (tier.tier, tier.rate_minor_per_hour, tier.cap_minor, tier.floor_minor) == ("P1", 36_000, 1000, 1000)
    assert await market.balance(f"batch:{batch}:reserve") == 12_000
    assert await market.findings() == ()


async def test_requests_of_one_batch_of_events_share_the_prefund_in_their_order(market: Market) -> None:
    first, second, third = new_id(), new_id(), new_id()
    await market.react(
        market.funding(first, answers=10), market.funding(second, answers=20), market.funding(third, answers=15)
    )
    assert [event.batch_id for event in await market.events(events.BudgetReserved)] == [str(first), str(third)]
    [refused] = await market.events(events.BudgetRefused)
    assert (refused.batch_id, refused.missing_minor) == (str(second), 6000)
    assert refused.refusal == events.BUDGET_REFUSAL_PREFUND_TOO_LOW


async def test_after_a_deposit_the_next_attempt_is_reserved(market: Market) -> None:
    batch = new_id()
    await market.react(market.funding(batch, answers=50))
    [refused] = await market.events(events.BudgetRefused)
    await market.deposit(refused.missing_minor)
    await market.react(market.funding(batch, answers=50, attempt=2))
    [reserved] = await market.events(events.BudgetReserved)
    assert reserved.attempt == 2
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == 0


async def test_an_older_card_or_an_inactive_vendor_is_refused(market: Market) -> None:
    await republish(market)
    await market.react(market.funding(new_id()))
    await market.react(vendor_changed(market.vendor_id, 2, active=False), vendor_changed(market.vendor_id, 1))
    await market.react(market.funding(new_id()))
    assert [event.refusal for event in await market.events(events.BudgetRefused)] == [
        events.BUDGET_REFUSAL_RATE_CARD_SUPERSEDED,
        events.BUDGET_REFUSAL_VENDOR_NOT_ACTIVE,
    ]


async def test_figures_that_contradict_our_own_rows_are_poison(market: Market) -> None:
    batch = new_id()
    await market.react(market.funding(batch))
    for wrong in (
        market.funding(new_id(), total_minor=1),
        market.funding(new_id(), rate_card_version=2),
        market.funding(batch, attempt=2),
        market.funding(batch, answers=3),
    ):
        with pytest.raises(FundingContradicted):
            await market.react(wrong)
    assert len(await market.events(events.BudgetReserved)) == 1
