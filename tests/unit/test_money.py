"""Money: exact, half to even, and back again."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import InvalidMoney, UnknownCurrency, exponent, from_proto, part, share, to_proto

AMOUNTS = st.integers(-(10**15), 10**15)
CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "BHD", "CLF"])


@given(minor=AMOUNTS, currency=CURRENCIES)
def test_an_amount_reads_back(minor: int, currency: str) -> None:
    assert from_proto(to_proto(minor, currency), "price") == (minor, currency)


@given(minor=AMOUNTS, currency=CURRENCIES)
def test_the_api_form_is_the_same_amount(minor: int, currency: str) -> None:
    money = to_proto(minor, currency)
    assert Decimal(money.units) + Decimal(money.nanos) / 10**9 == Decimal(minor) / 10 ** exponent(currency)
    assert money.units * money.nanos >= 0


@given(minor=AMOUNTS, points=st.integers(0, 10_000))
def test_a_share_is_the_exact_one_rounded_half_to_even(minor: int, points: int) -> None:
    exact = Decimal(minor) * points / 10_000
    assert share(minor, points) == int(exact.to_integral_value(ROUND_HALF_EVEN))


@given(minor=st.integers(0, 2**62), whole=st.integers(1, 604_800), data=st.data())
def test_a_part_is_the_exact_ratio_rounded_half_to_even_and_never_more_than_the_whole(
    minor: int, whole: int, data: st.DataObject
) -> None:
    of = data.draw(st.integers(0, whole))
    assert part(minor, of, whole) == round(Fraction(minor * of, whole))
    assert 0 <= part(minor, of, whole) <= minor


@given(minor=AMOUNTS, points=st.integers(0, 10_000))
def test_a_share_is_no_more_than_the_amount_and_its_mirror_is_the_same(minor: int, points: int) -> None:
    assert abs(share(minor, points)) <= abs(minor)
    assert share(-minor, points) == -share(minor, points)


@pytest.mark.parametrize(("minor", "points", "expected"), [(1, 5000, 0), (3, 5000, 2), (5, 5000, 2), (-3, 5000, -2)])
def test_halves_go_to_the_even_neighbour(minor: int, points: int, expected: int) -> None:
    assert share(minor, points) == expected


@pytest.mark.parametrize(
    "money",
    [
        Money(currency_code="USD", units=1, nanos=1),
        Money(currency_code="JPY", units=1, nanos=500_000_000),
        Money(currency_code="USD", units=1, nanos=-10_000_000),
        Money(currency_code="USD", units=-1, nanos=10_000_000),
        Money(currency_code="USD", units=0, nanos=1_000_000_000),
    ],
)
def test_what_is_no_whole_number_of_minor_units_is_refused(money: Money) -> None:
    with pytest.raises(InvalidMoney) as caught:
        from_proto(money, "price")
    assert caught.value.field == "price"


@pytest.mark.parametrize("code", ["", "usd", "XXQ", "XAU", "US"])
def test_a_currency_that_nobody_pays_in_is_refused(code: str) -> None:
    with pytest.raises(UnknownCurrency) as caught:
        from_proto(Money(currency_code=code, units=1), "price")
    assert caught.value.field == "price.currency_code"
