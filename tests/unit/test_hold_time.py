"""How long a task was held, and what is said of a client that claims more time than has passed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tasking.domain.hold_time import held, mismatch

CLAIMED = datetime(2026, 11, 23, tzinfo=UTC)
SECOND = timedelta(seconds=1)
spans = st.timedeltas(timedelta(0), timedelta(days=2))


@given(spans, spans)
def test_a_task_is_held_from_the_claim_to_the_answer_and_a_late_answer_says_nothing(
    lease: timedelta, taken: timedelta
) -> None:
    assert held(CLAIMED, CLAIMED + lease, CLAIMED + taken) == (taken if taken < lease else None)


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert held(CLAIMED, CLAIMED + 60 * SECOND, CLAIMED - SECOND) == timedelta(0)


@given(spans, st.integers(0, 604_800), st.integers(0, 604_800))
def test_only_a_client_that_claims_more_than_has_passed_is_told_of(taken: timedelta, active: int, idle: int) -> None:
    told = mismatch(CLAIMED, CLAIMED + taken, active, idle)
    assert bool(told) == (timedelta(seconds=active + idle) > taken + SECOND)


@pytest.mark.parametrize(("active", "idle"), [(0, 0), (1, 0), (31, 0), (20, 11)])
def test_a_client_that_rounds_up_or_does_not_count_is_no_mismatch(active: int, idle: int) -> None:
    assert mismatch(CLAIMED, CLAIMED + timedelta(seconds=30.2), active, idle) == ""


def test_a_mismatch_is_told_with_both_figures() -> None:
    told = mismatch(CLAIMED, CLAIMED + timedelta(seconds=31), 240, 10)
    assert all(figure in told for figure in ("240", "10", "31"))
