"""When a connection makes its plans anew."""

from __future__ import annotations

from chassis.plans import PlanAges


def test_plans_are_made_anew_twice_as_late_each_time_and_once_a_minute_in_the_end() -> None:
    now = [100.0]
    ages = PlanAges(lambda: now[0])
    ages.opened(7)
    renewed = []
    for second in range(0, 260):
        now[0] = 100.0 + second
        if ages.are_due(7):
            renewed.append(second)
    assert renewed == [2, 6, 14, 30, 62, 122, 182, 242]


def test_a_connection_that_takes_the_place_of_another_is_young_again() -> None:
    now = [0.0]
    ages = PlanAges(lambda: now[0])
    ages.opened(7)
    now[0] = 1000.0
    assert ages.are_due(7)
    ages.closed(7)
    ages.opened(7)
    now[0] = 1001.0
    assert not ages.are_due(7)
    now[0] = 1002.0
    assert ages.are_due(7)
