"""The worst case of a batch, and the order of an upload."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis import money
from services.tasking.domain.budget import PriceTooLow, WorstCase, still_reserved, worst_case
from services.tasking.domain.upload import ChunkOutOfOrder, check_sequence


def test_the_worst_case_is_every_answer_one_surplus_for_each_and_a_time_for_ten_with_the_fee_on_all() -> None:
    assert worst_case(10, 5, 150, 2_000, money.share) == WorstCase(50, 50, 5, 150, 105 * 30, 105 * 180)
    assert worst_case(1, 3, 150, 2_000, money.share).times == 1


@given(
    tasks=st.integers(1, 1_000_000), answers=st.integers(1, 50), price=st.integers(1, 10**9), fee=st.integers(0, 10_000)
)
def test_what_is_booked_answer_by_answer_never_exceeds_what_is_reserved(
    tasks: int, answers: int, price: int, fee: int
) -> None:
    cost = worst_case(tasks, answers, price, fee, money.share)
    count = cost.answers + cost.surplus + cost.times
    booked = count * (price + money.share(price, fee))
    assert booked == cost.total_minor == count * price + cost.fee_minor


def test_an_answer_that_would_cost_nothing_is_refused() -> None:
    with pytest.raises(PriceTooLow):
        worst_case(1, 1, 0, 2_000, money.share)


AMOUNTS = st.integers(0, 10**6)


@given(reserved=AMOUNTS, spent=AMOUNTS, released=AMOUNTS, kept=AMOUNTS)
def test_what_is_still_reserved_spent_and_released_is_what_was_reserved(
    reserved: int, spent: int, released: int, kept: int
) -> None:
    assert still_reserved(reserved, spent, None, None) == max(0, reserved - spent)
    left = still_reserved(reserved, spent, released, kept)
    assert 0 <= left <= kept
    if reserved == spent + released + kept:
        assert left == kept


@given(last=st.integers(0, 10**6), sequence=st.integers(1, 10**6))
def test_a_chunk_is_the_next_one_or_known_already(last: int, sequence: int) -> None:
    if sequence <= last + 1:
        check_sequence(sequence, last)
        return
    with pytest.raises(ChunkOutOfOrder) as refused:
        check_sequence(sequence, last)
    assert refused.value.metadata == {"last_chunk": str(last)}
