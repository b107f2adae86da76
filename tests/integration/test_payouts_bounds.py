"""The largest that the doors let in, together, on a real database: nothing overflows, too much is refused by name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest
import pytest_asyncio
from google.type.money_pb2 import Money
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preceptor.payouts.v1 import events_pb2 as events
from preceptor.payouts.v1 import funding_pb2

from chassis import money
from chassis.errors import ServiceError
from chassis.ids import new_id
from services.payouts.api import funding
from services.payouts.domain import accounts
from services.payouts.domain.accounts import Account
from services.payouts.domain.ledger import BalanceTooLarge, Transfer
from services.payouts.usecases.deposit_funds import FundsTooLarge
from services.payouts.usecases.get_balance import balance_of
from services.payouts.usecases.get_funds import funds_of
from services.payouts.usecases.post_transfers import post
from tests.support.databases import Databases
from tests.support.payouts import Market, completed, decided, open_market, vendor_changed

MOST, BALANCE = money.GREATEST_AMOUNT, money.GREATEST_BALANCE
BANK, EXPENSE = accounts.bank("USD"), accounts.platform_expense("USD")
FEE, CLEARING = accounts.platform_fee("USD"), accounts.clearing("double", "USD")
RATE, DAY = 10**12, 86_400  # the largest of a rate card and of a project
PRICE = money.price(RATE, DAY)
ANSWERS = MOST // (2 * PRICE)  # as many as one batch can have, if the fee is all of it


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open(deposit=0, rate=RATE, fee=10_000)
        yield opened


def moved(debit: Account, credit: Account, amount: int) -> Transfer:
    return Transfer(f"test:{new_id()}", debit, credit, amount, "test")


async def test_a_deposit_of_almost_2_to_the_63_is_refused_and_others_go_on(market: Market) -> None:
    asked = funding_pb2.DepositFundsRequest(
        vendor=f"vendors/{market.vendor_id}",
        amount=Money(currency_code="USD", units=92_233_720_368_547_758, nanos=70_000_000),
        bank_reference="line-1",
    )
    with pytest.raises(money.AmountTooLarge) as refused:
        await market.call(funding.deposit_funds, asked)
    assert (refused.value.field, refused.value.metadata["most_minor"]) == ("amount", str(MOST))
    asked.amount.CopyFrom(Money(currency_code="USD", units=1))
    assert (await market.call(funding.deposit_funds, asked)).funds.available == asked.amount


async def test_a_vendors_deposits_are_bounded_together_so_that_one_cannot_use_up_a_currency(market: Market) -> None:
    for _ in range(money.GREATEST_FUNDS // MOST):
        await market.deposit(MOST)
    with pytest.raises(FundsTooLarge) as refused:
        await market.deposit(1)
    assert (refused.value.field, refused.value.metadata["most_minor"]) == ("amount", str(money.GREATEST_FUNDS))
    other = new_id()
    await market.react(vendor_changed(other))
    market.vendor_id = other
    await market.deposit(MOST)
    assert await market.findings() == ()


async def test_all_that_can_come_in_of_a_currency_fits_one_account_and_no_more_comes_in(market: Market) -> None:
    prefund = accounts.prefund(market.vendor_id, "USD")
    await market.run(lambda tx: post(tx, [moved(BANK, prefund, BALANCE), moved(EXPENSE, FEE, BALANCE)]))
    for source in (BANK, EXPENSE):
        with pytest.raises(BalanceTooLarge):
            await market.run(lambda tx, source=source: post(tx, [moved(source, FEE, 1)]))  # type: ignore[misc]
    with pytest.raises(BalanceTooLarge) as refused:
        await market.deposit(1)
    assert refused.value.metadata["account"] == BANK.code
    assert (await market.run(lambda tx: funds_of(tx, market.vendor_id, "USD"))).available == BALANCE
    await market.run(lambda tx: post(tx, [moved(prefund, CLEARING, BALANCE), moved(FEE, CLEARING, BALANCE)]))
    assert await market.balance(CLEARING.code) == 2 * BALANCE
    assert await market.findings() == ()


async def test_money_that_goes_round_and_round_uses_nothing_up(market: Market) -> None:
    prefund = accounts.prefund(market.vendor_id, "USD")
    await market.run(lambda tx: post(tx, [moved(BANK, prefund, BALANCE)]))
    for _ in range(3):  # turnover of 24 * 10^18
        await market.run(lambda tx: post(tx, [moved(prefund, FEE, BALANCE), moved(FEE, prefund, BALANCE)]))
    await market.run(lambda tx: post(tx, [moved(prefund, BANK, BALANCE)]))
    assert (await market.balance(prefund.code), await market.balance(BANK.code)) == (0, 0)
    await market.deposit(1)
    assert await market.findings() == ()


async def test_the_largest_batches_are_reserved_earned_and_paid_in_as_many_payouts_as_it_takes(market: Market) -> None:
    for _ in range(5):
        await market.deposit(MOST)
    expert = await market.expert()
    for _ in range(3):
        batch = await market.batch(answers=ANSWERS, seconds=DAY)
        answers = [market.answer(batch, expert, amount=PRICE) for _ in range(ANSWERS)]
        await market.react(*answers)
        await market.react(*map(decided, answers))
        await market.react(completed(batch, market.vendor_id, ANSWERS))
    await market.release()
    earned = 3 * ANSWERS * PRICE
    assert earned > MOST
    while await market.gather():
        await market.send()
    settled = await market.events(events.PayoutSettled)
    assert sum(event.amount_minor for event in settled) == earned
    assert max(event.amount_minor for event in settled) <= MOST
    assert (await market.run(lambda tx: balance_of(tx, expert, "USD"))).paid == earned
    assert await market.findings() == ()


AMOUNTS = st.sampled_from([1, MOST - 1, MOST])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deposit"), AMOUNTS),
        st.tuples(st.just("batch"), st.integers(1, ANSWERS)),
        st.tuples(st.just("time"), st.integers(1, DAY)),
        st.tuples(st.just("pay"), st.just(0)),
        st.tuples(st.just("brink"), st.integers(0, 2 * MOST)),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_legal_things_come_together_no_sum_overflows(
    market: Market, steps: list[tuple[str, int]]
) -> None:
    expert = await market.expert()
    for kind, size in steps:
        try:
            await do(market, expert, kind, size)
        except ServiceError as error:
            assert error.reason in {"BALANCE_TOO_LARGE", "FUNDS_TOO_LARGE"}  # noqa: PT017  # others fail the test
    await market.run(lambda tx: funds_of(tx, market.vendor_id, "USD"))
    await market.run(lambda tx: balance_of(tx, expert, "USD"))
    assert await market.findings() == ()


async def do(market: Market, expert: UUID, kind: str, size: int) -> None:
    """One step, as large as its door lets in."""
    if kind == "deposit":
        await market.deposit(size)
    elif kind == "batch":
        batch = await market.batch(answers=size, seconds=DAY)
        if await market.fetch("SELECT FROM reserve WHERE batch_id = $1", batch):
            answer = market.answer(batch, expert, amount=PRICE)
            await market.react(answer, decided(answer), completed(batch, market.vendor_id, 1))
    elif kind == "time":
        await unforeseen_time(market, expert, size)
    elif kind == "pay":
        await market.release()
        await market.gather()
        await market.send()
    else:
        # Others' deposits of years bring the currency to the brink.
        room = BALANCE + await market.balance(BANK.code) - size
        if room > 0:
            await market.run(lambda tx: post(tx, [moved(BANK, FEE, room)]))


async def unforeseen_time(market: Market, expert: UUID, seconds: int) -> None:
    """Time that no reserve has money for: the platform pays it."""
    batch = await market.batch(answers=1, seconds=DAY)
    if not await market.fetch("SELECT FROM reserve WHERE batch_id = $1", batch):
        return
    time = market.time(batch, expert, amount=PRICE)
    time.paid_seconds, time.expected_seconds = seconds, DAY
    await market.react(time)
