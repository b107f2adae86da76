"""Skill as pure rules: relative, pooled, decaying; and the alarm when a rater changes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain.drift import ALARM, Drift, drifted
from services.scoring.domain.skill import (
    HALF_LIFE,
    MOST,
    OTHER,
    SAME_TYPE,
    UNKNOWN,
    Assumed,
    Tally,
    Told,
    aged,
    is_material,
    skill,
)

NOTHING = Tally()
TALLIES = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1000)).map(
    lambda t: Tally(t[0] * t[2], t[1] * t[2], t[2])
)


def mean(known: Assumed) -> float:
    return known.right / (known.right + known.wrong)


def test_of_whom_nothing_is_known_the_skill_is_a_fresh_raters() -> None:
    assert skill(NOTHING, []) == UNKNOWN


@pytest.mark.parametrize("usual", [0.55, 0.75, 0.95])
def test_who_does_as_well_as_the_others_has_the_usual_skill_however_hard_the_work(usual: float) -> None:
    known = skill(Tally(usual * 200, usual * 200, 200), [])
    assert mean(known) == pytest.approx(0.75)
    assert sum(known) == pytest.approx(204)


def test_who_does_better_than_the_others_is_better_by_the_odds() -> None:
    # As often right as a fresh rater are the others here, so the odds are as they are; four usual votes are added.
    known = skill(Tally(90, 75, 100), [])
    rate = (90 + 4 * 0.75) / 104
    assert known == pytest.approx((3 + 100 * rate, 1 + 100 * (1 - rate)))


def test_records_of_other_work_count_in_part_and_never_for_more_than_so_many_votes() -> None:
    record = Tally(380, 300, 400)
    by_type, by_other = (skill(NOTHING, [record.elsewhere(worth)]) for worth in (SAME_TYPE, OTHER))
    assert sum(by_type) == pytest.approx(4 + MOST) == sum(by_other)
    few = Tally(9.5, 7.5, 10)
    assert [sum(skill(NOTHING, [few.elsewhere(worth)])) for worth in (SAME_TYPE, OTHER)] == [9.0, 6.5]


def test_work_here_outweighs_records_elsewhere() -> None:
    bad, good = Tally(40, 75, 100), Tally(380, 300, 400)
    assert mean(skill(NOTHING, [good.elsewhere(SAME_TYPE)])) > 0.9
    assert mean(skill(bad, [good.elsewhere(SAME_TYPE)])) < 0.55


@given(TALLIES, TALLIES)
def test_a_skill_is_a_distribution_whatever_the_records(here: Tally, there: Tally) -> None:
    known = skill(here, [there.elsewhere(OTHER)])
    assert known.right > 0
    assert known.wrong > 0


def test_votes_count_half_after_a_half_life_and_new_ones_whole() -> None:
    held = Tally(80, 75, 100)
    gained = Tally(9, 7.5, 10)
    assert aged(held, held, held.plus(gained), gained, HALF_LIFE) == pytest.approx((49, 45, 60))
    assert aged(held, held, held, NOTHING, 2 * HALF_LIFE) == pytest.approx((20, 18.75, 25))


def test_what_a_fit_judges_anew_counts_by_what_is_still_held_of_it() -> None:
    # Of 400 votes 100 are still held; the fit finds 20 of the 400 less right.
    held, read, now = Tally(80, 75, 100), Tally(320, 300, 400), Tally(300, 300, 400)
    assert aged(held, read, now, NOTHING, 0) == pytest.approx((75, 75, 100))


def test_a_first_look_takes_the_record_as_it_is() -> None:
    assert aged(NOTHING, NOTHING, Tally(8, 7, 10), NOTHING, 0) == (8, 7, 10)


@given(TALLIES, TALLIES, TALLIES, TALLIES, st.floats(0, 1000))
def test_a_record_stays_one_whatever_comes(held: Tally, read: Tally, now: Tally, gained: Tally, days: float) -> None:
    correct, expected, total = aged(held, read, now, gained, days)
    assert 0 <= correct <= total
    assert 0 <= expected <= total


def test_what_moves_by_less_than_two_hundredths_is_not_told() -> None:
    told = Told(0.8, 0.7, 0.9, alarm=False)
    assert is_material(None, told)
    assert not is_material(told, Told(0.815, 0.71, 0.915, alarm=False))
    assert is_material(told, Told(0.8, 0.675, 0.9, alarm=False))
    assert is_material(told, told._replace(alarm=True))


def simulated(rates: list[float], chance: random.Random, usual: float = 0.85) -> list[Drift]:
    """The alarm after each vote of a rater who is right so often."""
    held, drift, seen = NOTHING, Drift(), []
    for rate in rates:
        gained = Tally(float(chance.random() < rate), usual, 1.0)
        drift = drifted(drift, held, gained)
        held = held.plus(gained)
        seen.append(drift)
    return seen


@pytest.mark.parametrize("rate", [0.55, 0.85, 0.95])
def test_who_stays_as_they_are_raises_no_alarm_good_or_bad(rate: float) -> None:
    chance = random.Random(7)
    raters = [simulated([rate] * 300, chance) for _ in range(40)]
    assert sum(any(drift.alarm for drift in seen) for seen in raters) <= 2


def test_of_ten_who_begin_to_guess_nine_are_found_within_sixty_votes() -> None:
    chance = random.Random(8)
    raters = [simulated([0.85] * 300 + [0.5] * 60, chance) for _ in range(50)]
    assert sum(any(drift.alarm for drift in seen[300:]) for seen in raters) >= 45


def test_the_alarm_ends_when_the_rater_is_as_before() -> None:
    held = Tally(170, 170, 200)
    drift = drifted(Drift(), held, Tally(0, 17, 20))
    assert drift == (ALARM, True)
    halfway = drifted(drift, held, Tally(15, 13, 15))
    assert halfway.alarm
    assert 0 < halfway.nats < ALARM
    assert drifted(halfway, held, Tally(30, 25.5, 30)) == (0.0, False)


def test_harder_work_is_no_change_where_the_others_are_wrong_as_often() -> None:
    held, gained = Tally(190, 190, 200), Tally(18, 18, 30)
    assert not drifted(Drift(), held, gained).alarm
    assert drifted(Drift(), held, gained._replace(expected=28.5)).alarm


def test_without_a_vote_there_is_no_change() -> None:
    assert drifted(Drift(2.0), NOTHING, NOTHING) == Drift(2.0)
