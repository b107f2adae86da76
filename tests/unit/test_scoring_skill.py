"""What a rater's record elsewhere says of them here."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.domain.skill import MOST, OTHER, SAME, SAME_TYPE, Assumed, Elsewhere, assumed
from services.scoring.usecases.assume_raters import FRESH

ROUND = Assumed(2.0, 2.0)
"""Somebody who is as often right as wrong: as symmetrical as can be."""


@st.composite
def records(draw: st.DrawFn) -> Elsewhere:
    total = draw(st.floats(0.5, 1000))
    correct, expected = (draw(st.floats(0, total)) for _ in range(2))
    return Elsewhere(draw(st.sampled_from([SAME, SAME_TYPE, OTHER])), correct, expected, total)


def rate(of: Assumed) -> float:
    return of.right / (of.right + of.wrong)


def votes(of: Assumed) -> float:
    """How many votes the records are worth."""
    return of.right + of.wrong - FRESH.right - FRESH.wrong


def test_without_a_record_a_rater_is_fresh() -> None:
    assert assumed(FRESH, []) == FRESH == (DEFAULT.right, DEFAULT.wrong)
    assert assumed(FRESH, [Elsewhere(SAME, 0, 0, 0)]) == FRESH


def test_a_record_of_the_same_kind_counts_whole_and_others_by_half_and_a_quarter() -> None:
    worths = [votes(assumed(FRESH, [Elsewhere(worth, 8, 6, 10)])) for worth in (SAME, SAME_TYPE, OTHER)]
    assert worths == pytest.approx([10, 5, 2.5])


def test_all_records_together_are_worth_so_many_votes_at_most() -> None:
    many = [Elsewhere(worth, 900, 700, 1000) for worth in (SAME, SAME_TYPE, OTHER)]
    assert votes(assumed(FRESH, many)) == pytest.approx(MOST)


def test_who_is_as_good_as_the_others_there_is_taken_for_as_good_as_anybody_here() -> None:
    for usual in (0.3, 0.75, 0.98):
        there = assumed(FRESH, [Elsewhere(SAME, 100 * usual, 100 * usual, 100)])
        assert rate(there) == pytest.approx(rate(FRESH))


def test_the_same_rate_says_less_where_the_work_is_easy() -> None:
    hard, easy = (assumed(FRESH, [Elsewhere(SAME, 90, 100 * usual, 100)]) for usual in (0.6, 0.95))
    assert rate(hard) > rate(FRESH) > rate(easy)


def test_a_few_lucky_votes_say_little() -> None:
    lucky, proven = (assumed(FRESH, [Elsewhere(SAME, n, 0.75 * n, n)]) for n in (2, 200))
    assert rate(FRESH) < rate(lucky) < rate(proven) < 1


@given(st.lists(records(), min_size=1, max_size=4))
def test_right_and_wrong_change_places_when_all_records_do(some: list[Elsewhere]) -> None:
    mirrored = [Elsewhere(r.worth, r.total - r.correct, r.total - r.expected, r.total) for r in some]
    right, wrong = assumed(ROUND, some)
    assert assumed(ROUND, mirrored) == pytest.approx((wrong, right))


@given(st.lists(records(), min_size=1, max_size=4))
def test_records_add_to_what_is_assumed_and_never_take_from_it(some: list[Elsewhere]) -> None:
    there = assumed(FRESH, some)
    assert there.right >= FRESH.right
    assert there.wrong >= FRESH.wrong
    assert votes(there) <= MOST + 1e-9


@given(st.lists(records(), min_size=2, max_size=3))
def test_the_order_of_records_does_not_show(some: list[Elsewhere]) -> None:
    assert all(assumed(FRESH, order) == pytest.approx(assumed(FRESH, some)) for order in permutations(some))


@given(records(), st.floats(0, 1))
def test_to_be_right_more_often_is_never_held_against_a_rater(record: Elsewhere, more: float) -> None:
    better = replace(record, correct=record.correct + more * (record.total - record.correct))
    assert assumed(FRESH, [better]).right >= assumed(FRESH, [record]).right - 1e-9
