"""The breaker: single failures pass, a flood of them does not."""

from __future__ import annotations

import pytest

from chassis.bus.breaker import Breaker, BreakerOpen


def fail(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        breaker.failed()


def test_it_opens_after_too_many_failures_in_a_row_and_stays_open() -> None:
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


def test_nothing_applied_is_no_success() -> None:
    breaker = Breaker(in_a_row=1)
    breaker.failed()
    breaker.succeeded(0)
    with pytest.raises(BreakerOpen):
        breaker.failed()


def test_an_open_breaker_is_worth_a_retry() -> None:
    assert BreakerOpen.retryable
