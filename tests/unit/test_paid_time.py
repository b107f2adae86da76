"""Which time is paid though no answer came of it, what it is worth, and who pays."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import part, share
from services.payouts.domain.earning import Reserve, ReserveReleased, TermsContradicted
from services.payouts.domain.ledger import Transfer
from services.payouts.domain.paid_time import PaidTime, Time, check_time, pay
from services.tasking.domain.paid_time import paid_seconds

CLAIMED = datetime(2026, 11, 23, tzinfo=UTC)
BATCH, VENDOR, EXPERT = UUID(int=2), UUID(int=3), UUID(int=5)
TIME = Time(
    slot_id=UUID(int=8),
    task_id=UUID(int=1),
    batch_id=BATCH,
    vendor_id=VENDOR,
    expert_id=EXPERT,
    rate_card_version=3,
    tier="P1",
    amount=1000,
    currency="USD",
    fee_basis_points=2000,
    time_id=UUID(int=9),
    paid_seconds=45,
    expected_seconds=90,
    recorded_at=CLAIMED,
)
RESERVE = Reserve(BATCH, VENDOR, "USD", 3, 2000, {"P1": range(1000, 1001)}, False, times_most=1)


def into(paid: PaidTime, account: str) -> int:
    def moved(transfer: Transfer) -> int:
        return transfer.amount * ((transfer.credit.code == account) - (transfer.debit.code == account))

    return sum(map(moved, paid.transfers))


@given(st.timedeltas(timedelta(-1), timedelta(days=2)), st.integers(1, 86_400))
def test_whole_seconds_are_paid_and_at_most_the_expected_ones(worked: timedelta, expected: int) -> None:
    seconds = paid_seconds(CLAIMED, CLAIMED + worked, expected)
    assert 0 <= seconds <= expected
    assert seconds == expected or timedelta(0) <= max(worked, timedelta(0)) - timedelta(seconds=seconds)
    assert seconds == expected or max(worked, timedelta(0)) - timedelta(seconds=seconds) < timedelta(seconds=1)


@given(st.integers(0, 10**9), st.integers(0, 10_000), st.integers(1, 86_400), st.data())
def test_a_time_costs_its_part_of_the_price_and_never_more_than_an_answer(
    price: int, fee: int, expected: int, data: st.DataObject
) -> None:
    seconds = data.draw(st.integers(1, expected))
    terms = replace(TIME, amount=price, fee_basis_points=fee, paid_seconds=seconds, expected_seconds=expected)
    paid = pay(terms, RESERVE, 1, part, share)
    assert paid.worth == part(price, seconds, expected) == into(paid, f"expert:{EXPERT}:held")
    assert paid.from_reserve == -into(paid, f"batch:{BATCH}:reserve") <= price + share(price, fee)
    assert into(paid, "platform:fee") == share(paid.worth, fee)


def test_what_the_reserve_has_no_money_for_the_platform_pays_without_a_fee() -> None:
    paid = pay(TIME, RESERVE, 2, part, share)
    assert (paid.worth, paid.from_reserve) == (500, 0)
    assert into(paid, f"expert:{EXPERT}:held") == 500 == -into(paid, "platform:adjustment_expense")
    assert into(paid, "platform:fee") == into(paid, f"batch:{BATCH}:reserve") == 0


def test_a_time_that_nobody_counted_cannot_come_after_the_release() -> None:
    with pytest.raises(ReserveReleased):
        pay(TIME, replace(RESERVE, released=True), 1, part, share)


@pytest.mark.parametrize(
    "wrong",
    [
        {"vendor_id": uuid4()},
        {"currency": "EUR"},
        {"rate_card_version": 4},
        {"fee_basis_points": 1999},
        {"tier": "M3"},
        {"amount": 1001},
        {"paid_seconds": 0},
        {"paid_seconds": 91},
        {"expected_seconds": 0},
    ],
)
def test_a_time_that_contradicts_the_reserve_is_poison(wrong: dict[str, object]) -> None:
    check_time(TIME, RESERVE)
    with pytest.raises(TermsContradicted):
        check_time(replace(TIME, **wrong), RESERVE)  # type: ignore[arg-type]
    with pytest.raises(TermsContradicted):
        check_time(TIME, None)
