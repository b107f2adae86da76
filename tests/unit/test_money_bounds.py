"""No sum of money that can come together is more than 64 bits hold: the largest of everything, and what is below it."""

from __future__ import annotations

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st
from preceptor.tasking.v1.events_pb2 import BatchFundingRequested, TierNeed

from chassis import money
from services.payouts.domain.rate_card import InvalidTiers, check_tiers
from services.tasking.domain.budget import BatchTooCostly, PriceTooLow, check_cost, most_gold, worst_case
from services.tasking.domain.upload import MOST_TASKS, BatchFull, check_number

INT64 = 2**63 - 1
MOST = money.GREATEST_AMOUNT
# The largest that the doors let in: of a rate card, a project, a batch.
RATES = st.integers(1, 10**12)
SECONDS = st.integers(1, 86_400)
ANSWERS = st.integers(1, 50)
FEES = st.integers(0, 10_000)
NUMBERS = st.integers(1, MOST_TASKS)


@given(rate=RATES, seconds=SECONDS, answers=ANSWERS, fee=FEES, tasks=NUMBERS, items=st.integers(0, MOST_TASKS))
def test_the_money_of_every_batch_that_is_let_in_fits_its_event(
    rate: int, seconds: int, answers: int, fee: int, tasks: int, items: int
) -> None:
    try:
        cost = worst_case(
            tasks, answers, money.price(rate, seconds), fee, money.share, most_gold(tasks, answers, items)
        )
        check_cost(cost, MOST, "name")
    except (PriceTooLow, BatchTooCostly):
        return
    assert cost.total_minor <= MOST
    need = TierNeed(
        answers=cost.answers, surplus=cost.surplus, times=cost.times, amount_minor_each=cost.price_minor, tier="P1"
    )
    asked = BatchFundingRequested(tiers=[need], fee_minor=cost.fee_minor, total_minor=cost.total_minor)
    assert BatchFundingRequested.FromString(asked.SerializeToString()) == asked


def test_the_largest_price_of_one_answer_and_its_fee_are_far_from_the_end_of_64_bits() -> None:
    price = money.price(10**12, 86_400)
    assert price + money.share(price, 10_000) <= MOST


def test_a_rate_of_a_million_million_for_a_day_and_three_thousand_tasks_is_refused_by_what_is_too_large() -> None:
    cost = worst_case(3000, 1, money.price(10**12, 86_400), 2_000, money.share)
    with pytest.raises(BatchTooCostly) as refused:
        check_cost(cost, MOST, "name")
    told = refused.value.metadata
    assert refused.value.field == "name"
    pay = int(told["paid_at_most"]) * int(told["price_minor"])
    assert int(told["worst_case_minor"]) == pay + int(told["fee_minor"])
    assert (told["paid_at_most"], told["most_minor"]) == ("6300", str(MOST))


def test_all_that_comes_in_of_a_currency_together_fits_one_account() -> None:
    # Our bank and our expense may each owe the most, by one last transfer each.
    assert 2 * money.GREATEST_BALANCE <= INT64
    assert MOST <= money.GREATEST_FUNDS <= money.GREATEST_BALANCE


@pytest.mark.parametrize(("tasks", "items"), [(MOST_TASKS + 1, 0), (1, MOST_TASKS + 1)])
def test_a_batch_has_a_million_tasks_and_as_many_gold_items_at_most(tasks: int, items: int) -> None:
    check_number(MOST_TASKS, MOST_TASKS)
    with pytest.raises(BatchFull) as refused:
        check_number(tasks, items)
    assert refused.value.metadata["most"] == str(MOST_TASKS)


@pytest.mark.parametrize("units", [92_233_720_368_547_758, 2**63 - 1, -(2**63), 10**13 + 1])
def test_an_amount_that_no_transfer_may_have_is_refused_with_field_size_and_bound(units: int) -> None:
    with pytest.raises(money.AmountTooLarge) as refused:
        money.from_proto(Money(currency_code="USD", units=units), "amount")
    assert refused.value.field == "amount"
    assert refused.value.metadata == {"minor": str(units * 100), "most_minor": str(MOST)}


@given(minor=st.integers(-(2 * money.GREATEST_BALANCE), 2 * money.GREATEST_BALANCE))
def test_what_an_account_may_hold_can_be_told(minor: int) -> None:
    told = money.to_proto(minor, "USD")
    assert told.units * 100 + told.nanos // 10**7 == minor


def test_a_rate_that_is_too_large_is_refused_with_its_bound() -> None:
    with pytest.raises(InvalidTiers) as refused:
        check_tiers([("P1", 10**12 + 1)])
    assert refused.value.violations == (
        ("rate_card.tiers[0].rate_minor_per_hour", "must be above zero and at most 1000000000000"),
    )
