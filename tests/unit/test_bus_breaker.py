"""The breaker: single failures pass, a flood of them does not."""

from __future__ import annotations

import pytest

from chassis.bus.breaker import PACE_SECONDS, Breaker, BreakerOpen


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


class Clock:
    """A time that passes when it is told to."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_too_many_failures_in_a_row() -> None:
    breaker = Breaker(in_a_row=5)
    fail(breaker, 5)
    for _ in range(3):
        with pytest.raises(BreakerOpen):
            breaker.failed()


def test_a_success_closes_it_again() -> None:
    breaker = Breaker(in_a_row=5)
    fail(breaker, 5)
    breaker.succeeded(1)
    fail(breaker, 5)


def test_it_opens_when_too_many_of_the_last_events_failed() -> None:
    breaker = Breaker(in_a_row=1000, of_last=100, ratio=0.1)
    breaker.succeeded(90)
    fail(breaker, 10)
    with pytest.raises(BreakerOpen):
        breaker.failed()


def test_while_it_is_open_one_failure_goes_through_now_and_then_so_that_nothing_is_held_for_good() -> None:
    clock = Clock()
    breaker = Breaker(in_a_row=5, clock=clock)
    fail(breaker, 5)
    for _ in range(3):
        with pytest.raises(BreakerOpen):
            breaker.failed()
        clock.now += PACE_SECONDS
        breaker.failed()
    assert breaker.open


def test_nothing_applied_is_no_success() -> None:
    breaker = Breaker(in_a_row=1)
    breaker.failed()
    breaker.succeeded(0)
    with pytest.raises(BreakerOpen):
        breaker.failed()


def test_an_open_breaker_is_worth_a_retry() -> None:
    assert BreakerOpen.retryable
