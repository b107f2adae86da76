"""Payouts' handlers: names, money and pages at the edge, and whose data it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from google.type.money_pb2 import Money
from preceptor.payouts.v1 import earning_pb2, events_pb2, funding_pb2, ledger_pb2, rate_card_pb2

from chassis.ids import InvalidName, new_id
from chassis.money import InvalidMoney
from chassis.rpc.call import Call, Caller, NotYours
from chassis.rpc.paging import InvalidPageToken
from services.payouts.api import earning, funding, ledger, rate_card
from services.payouts.context import Context
from tests.support.databases import Databases
from tests.support.payouts import Market, open_market

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open(deposit=0)
        yield opened


def caller(kind: str, role: str, vendor_id: UUID | None = None, expert_id: UUID | None = None) -> Caller:
    return Caller(new_id(), kind, frozenset({role}), new_id(), new_id(), vendor_id, expert_id)


FINANCE = caller("staff", "FINANCE")


async def called(market: Market, who: Caller, handler: Callable[[Call[Context], Q], Awaitable[A]], request: Q) -> A:
    async with market.database.transaction(who.scope) as tx:
        return await handler(Call(who, market.context, market.database, tx), request)


async def test_a_rate_card_is_published_and_given(market: Market) -> None:
    tiers = [events_pb2.TierRate(tier="P1", rate_minor_per_hour=10_500)]
    card = rate_card_pb2.RateCard(currency="EUR", tiers=tiers, fee_basis_points=1500)
    request = rate_card_pb2.PublishRateCardRequest(rate_card=card)
    published = (await called(market, FINANCE, rate_card.publish_rate_card, request)).rate_card
    assert (published.version, published.currency, list(published.tiers)) == (1, "EUR", tiers)
    request.rate_card.name = published.name
    assert (await called(market, FINANCE, rate_card.publish_rate_card, request)).rate_card.version == 2
    asked = rate_card_pb2.GetRateCardRequest(name=published.name)
    assert (await called(market, FINANCE, rate_card.get_rate_card, asked)).rate_card.version == 2


async def test_a_deposit_is_booked_in_the_currencys_own_units(market: Market) -> None:
    vendor = f"vendors/{market.vendor_id}"
    amount = Money(currency_code="KWD", units=12, nanos=345_000_000)
    request = funding_pb2.DepositFundsRequest(vendor=vendor, amount=amount, bank_reference="line-1")
    assert (await called(market, FINANCE, funding.deposit_funds, request)).funds.available == amount
    own = caller("vendor", "VENDOR", vendor_id=market.vendor_id)
    asked = funding_pb2.GetFundsRequest(vendor=vendor, currency="KWD")
    assert (await called(market, own, funding.get_funds, asked)).funds.available == amount
    with pytest.raises(NotYours):
        await called(market, caller("vendor", "VENDOR", vendor_id=uuid4()), funding.get_funds, asked)
    request.amount.nanos = 345_500_000
    with pytest.raises(InvalidMoney):
        await called(market, FINANCE, funding.deposit_funds, request)


async def test_an_expert_sees_lines_balances_and_payouts_of_their_own(market: Market) -> None:
    await market.deposit(100_000)
    expert = await market.expert()
    me = caller("expert", "EXPERT", expert_id=expert)
    await market.earn(expert, answers=3)
    await market.gather()
    await market.send()
    request = earning_pb2.ListEarningsRequest(parent=f"experts/{expert}", page_size=2)
    first = await called(market, me, earning.list_earnings, request)
    request.page_token = first.next_page_token
    second = await called(market, me, earning.list_earnings, request)
    lines = [*first.earnings, *second.earnings]
    assert (len(lines), second.next_page_token) == (3, "")
    assert {line.state for line in lines} == {earning_pb2.EARNING_STATE_SETTLED}
    out = await called(market, me, earning.list_payouts, earning_pb2.ListPayoutsRequest(parent=f"experts/{expert}"))
    assert {line.payout for line in lines} == {out.payouts[0].name}
    assert out.payouts[0].state == earning_pb2.PAYOUT_STATE_PAID
    asked = earning_pb2.GetBalanceRequest(expert=f"experts/{expert}", currency="USD")
    assert (await called(market, me, earning.get_balance, asked)).paid == Money(currency_code="USD", units=30)


async def test_what_is_anothers_is_denied_and_what_is_malformed_is_named(market: Market) -> None:
    me, other = caller("expert", "EXPERT", expert_id=uuid4()), f"experts/{uuid4()}"
    with pytest.raises(NotYours):
        await called(market, me, earning.list_earnings, earning_pb2.ListEarningsRequest(parent=other))
    with pytest.raises(NotYours):
        await called(market, me, earning.set_instrument, earning_pb2.SetInstrumentRequest(expert=other))
    with pytest.raises(InvalidName):
        await called(market, me, earning.list_payouts, earning_pb2.ListPayoutsRequest(parent="experts/1"))
    forged = earning_pb2.ListEarningsRequest(parent=f"experts/{me.expert_id}", page_token="AAAA")
    with pytest.raises(InvalidPageToken):
        await called(market, me, earning.list_earnings, forged)


async def test_the_ledger_is_proved_on_demand(market: Market) -> None:
    await market.deposit(100)
    proof = await called(market, FINANCE, ledger.verify_ledger, ledger_pb2.VerifyLedgerRequest())
    assert (proof.transfers, proof.accounts, list(proof.findings)) == (1, 2, [])
