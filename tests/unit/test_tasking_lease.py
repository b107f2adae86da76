"""Leases: who may still do what with a slot, and where a late answer goes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.errors import ServiceError
from services.tasking.domain.lease import (
    AnswerWindowClosed,
    Hold,
    LeaseEnded,
    LeaseExpired,
    Seats,
    SlotState,
    Taken,
    WrongFencingToken,
    check_runs,
    check_submittable,
    place_late,
)

END = datetime(2026, 1, 1, 12, tzinfo=UTC)
GRACE = timedelta(hours=24)
TICK = timedelta(microseconds=1)
TOKEN = 7
CLOSED = (SlotState.SUBMITTED, SlotState.SURPLUS, SlotState.RETURNED)


def hold(state: SlotState = SlotState.LEASED, after_end: timedelta = -TICK) -> Hold:
    return Hold(state, TOKEN, END, END + after_end)


def test_a_running_lease_can_be_kept_alive_and_answered() -> None:
    check_runs(hold(), TOKEN)
    assert check_submittable(hold(), TOKEN, GRACE)


def test_a_lease_has_run_out_at_its_end_before_any_timer_says_so() -> None:
    with pytest.raises(LeaseExpired):
        check_runs(hold(after_end=timedelta()), TOKEN)
    assert not check_submittable(hold(after_end=timedelta()), TOKEN, GRACE)


@pytest.mark.parametrize("state", [SlotState.LEASED, SlotState.EXPIRED])
def test_a_late_answer_is_taken_to_the_last_moment_of_the_grace(state: SlotState) -> None:
    assert not check_submittable(hold(state, GRACE - TICK), TOKEN, GRACE)
    with pytest.raises(AnswerWindowClosed):
        check_submittable(hold(state, GRACE), TOKEN, GRACE)


@pytest.mark.parametrize("state", CLOSED)
@pytest.mark.parametrize("after_end", [-TICK, timedelta(), 2 * GRACE])
def test_a_closed_slot_takes_nothing_more_at_any_time(state: SlotState, after_end: timedelta) -> None:
    with pytest.raises(LeaseEnded):
        check_runs(hold(state, after_end), TOKEN)
    with pytest.raises(LeaseEnded):
        check_submittable(hold(state, after_end), TOKEN, GRACE)


@given(
    state=st.sampled_from(SlotState),
    after_end=st.timedeltas(-GRACE, 3 * GRACE),
    token=st.integers(1, 9),
    grace=st.just(GRACE),
)
def test_without_the_slots_own_token_nothing_else_is_told(
    state: SlotState, after_end: timedelta, token: int, grace: timedelta
) -> None:
    reasons = set()
    for check in (check_runs, lambda held, shown: check_submittable(held, shown, grace)):
        try:
            check(hold(state, after_end), token)
            reasons.add("")
        except ServiceError as error:
            reasons.add(error.reason)
    assert (reasons == {WrongFencingToken.reason}) == (token != TOKEN)


@given(state=st.sampled_from(SlotState), after_end=st.timedeltas(-GRACE, 3 * GRACE))
def test_what_can_be_kept_alive_can_be_answered_in_time(state: SlotState, after_end: timedelta) -> None:
    try:
        check_runs(hold(state, after_end), TOKEN)
    except ServiceError:
        return
    assert check_submittable(hold(state, after_end), TOKEN, GRACE)


def test_a_late_answer_takes_a_free_seat_of_an_open_task() -> None:
    assert place_late(Seats(taken=1, wanted=2, surplus=0, most_surplus=5, open=True)) is Taken.LATE


def test_a_late_answer_is_surplus_if_its_seat_is_taken() -> None:
    assert place_late(Seats(taken=2, wanted=2, surplus=0, most_surplus=5, open=True)) is Taken.SURPLUS


def test_a_late_answer_is_surplus_if_another_surplus_answer_has_brought_what_was_wanted() -> None:
    assert place_late(Seats(taken=1, wanted=2, surplus=1, most_surplus=5, open=True)) is Taken.SURPLUS


def test_a_late_answer_to_a_closed_task_is_surplus() -> None:
    assert place_late(Seats(taken=0, wanted=2, surplus=0, most_surplus=5, open=False)) is Taken.SURPLUS


@given(
    taken=st.integers(0, 5),
    wanted=st.integers(1, 5),
    surplus=st.integers(0, 6),
    most=st.integers(1, 5),
    is_open=st.booleans(),
)
def test_neither_seats_nor_what_is_reserved_for_surplus_is_ever_exceeded(
    taken: int, wanted: int, surplus: int, most: int, is_open: bool
) -> None:
    try:
        placed = place_late(Seats(taken, wanted, surplus, most, is_open))
    except AnswerWindowClosed:
        assert surplus >= most
        return
    assert (taken < wanted and is_open) if placed is Taken.LATE else surplus < most
