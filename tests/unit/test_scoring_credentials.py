"""What a claim says of who holds it: nothing before its holders show it, and never much."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from math import log

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from services.scoring.domain.credentials import DOUBT, MOST, Attested, Shown, attested, most_telling, shown
from services.scoring.domain.skill import Assumed, Elsewhere, Tally, assumed

FRESH = Assumed(6.0, 2.0)
USUAL = 0.75
TALLIES = st.tuples(st.floats(0, 1), st.floats(0.3, 0.98), st.integers(1, 500)).map(
    lambda t: Tally(t[0] * t[2], t[1] * t[2], t[2])
)


def added(records: Sequence[Tally]) -> Shown:
    return reduce(lambda a, b: Shown(*(x + y for x, y in zip(a, b, strict=True))), map(shown, records), Shown())


def says(holders: Sequence[Tally], others: Sequence[Tally]) -> Attested:
    return attested("profession=pilot", added(holders), added(others), USUAL)


def some(rate: float, number: int, votes: int = 40) -> list[Tally]:
    """Records where the usual rater is right three times in four."""
    return [Tally(rate * votes, USUAL * votes, votes)] * number


def by_definition(holders: Sequence[Tally], others: Sequence[Tally]) -> float:
    """The votes, from the records one by one and without sums that are taken out again."""

    def mean_and_variance(records: Sequence[Tally]) -> tuple[float, float]:
        correct, expected, total = np.array(records).T
        usual = expected / total
        reached = np.clip((correct + 4 * usual) / (total + 4), 0.001, 0.999)
        better = np.log(reached / (1 - reached)) - np.log(usual / (1 - usual))
        variances = (1 / total + 1 / 4) / (usual * (1 - usual))
        mean = float(np.average(better, weights=1 / variances))
        ratio = float(((better - mean) ** 2 / variances).sum()) / (len(records) - 1)
        return mean, max(ratio, 1) / float((1 / variances).sum()) * len(records) / (len(records) - 1)

    (mine, mine_varies), (theirs, theirs_varies) = mean_and_variance(holders), mean_and_variance(others)
    return 4 * max(0.0, 1 - 4 * (mine_varies + theirs_varies) / (mine - theirs) ** 2)


def test_the_votes_are_those_of_a_calculation_by_hand() -> None:
    # 40 votes of each; holders are right 38 times where 30 are usual, others 30. Reached: (38 + 3) / 44 = 0.93182; in
    # log odds over the usual rater ln(41 / 3) - ln 3 = 1.51635. Each weighs 0.1875 x 4 x 40 / 44 = 0.68182, ten 6.8182,
    # and the variance of either mean is 10 / 9 / 6.8182 = 0.16296. So 4 x (1 - 4 x 0.32593 / 2.29932) = 1.73200 votes.
    told = says(some(0.95, 10), some(0.75, 10))
    assert (told.votes, told.rate, told.usual) == pytest.approx((1.73200, 0.93182, 0.75), abs=1e-4)
    assert told.record == Elsewhere(1.0, told.votes * told.rate, told.votes * 0.75, told.votes)


@given(st.lists(TALLIES, min_size=2, max_size=6), st.lists(TALLIES, min_size=2, max_size=6))
def test_the_votes_are_those_of_the_definition_whatever_the_records(holders: list[Tally], others: list[Tally]) -> None:
    told, effect = says(holders, others), added(holders).mean - added(others).mean
    assume(abs(effect) > 0.01)
    assert told.votes == pytest.approx(by_definition(holders, others), abs=1e-3)


def test_a_claim_that_nobody_has_shown_anything_with_changes_nothing() -> None:
    for holders, others in (([], some(0.7, 50)), (some(0.9, 50), []), (some(1.0, 1, 5000), some(0.7, 50)), ([], [])):
        told = says(holders, others)
        assert told.votes == 0
        assert most_telling([told]) is None
        assert assumed(FRESH, [], told.record) == FRESH
    assert shown(Tally()) == Shown()


def test_what_everybody_does_as_well_says_nothing_of_a_claim() -> None:
    assert says(some(0.97, 200), some(0.97, 200)).votes == 0


@given(st.lists(TALLIES, min_size=2, max_size=6), st.lists(TALLIES, min_size=2, max_size=6), TALLIES)
def test_who_is_left_out_leaves_nothing_behind(holders: list[Tally], others: list[Tally], own: Tally) -> None:
    assert attested("", added([*holders, own]).less(shown(own)), added(others), USUAL) == attested(
        "", added(holders), added(others), USUAL
    )


@given(st.floats(0.4, 1), st.integers(2, 40), st.integers(1, 100))
def test_more_holders_alike_weigh_more(rate: float, number: int, votes: int) -> None:
    few, more = (says(some(rate, n, votes), some(0.7, 100)) for n in (number, number + 1))
    assert more.votes >= few.votes
    assert more.rate == pytest.approx(few.rate)


@given(st.lists(TALLIES, min_size=2, max_size=6), st.lists(TALLIES, min_size=2, max_size=6))
def test_a_claim_is_worth_so_many_votes_at_most(holders: list[Tally], others: list[Tally]) -> None:
    told = says(holders, others)
    assert 0 <= told.votes <= MOST
    assert 0 < told.rate < 1


@given(st.floats(0.5, 0.9), st.floats(0.001, 0.1), st.integers(2, 200))
def test_better_holders_are_never_held_against_a_new_one(rate: float, more: float, number: int) -> None:
    good, better = (says(some(each, number), some(0.7, 50)) for each in (rate, rate + more))
    assert better.rate > good.rate
    (right, wrong), (more_right, more_wrong) = (assumed(FRESH, [], each.record) for each in (good, better))
    assert more_right / (more_right + more_wrong) >= right / (right + wrong)


def test_holders_who_differ_among_themselves_say_less() -> None:
    alike, mixed = says(some(0.9, 30), some(0.7, 100)), says([*some(1.0, 15), *some(0.62, 15)], some(0.7, 100))
    assert 0 < mixed.votes < alike.votes


def test_holders_who_do_worse_are_learned_from_as_well() -> None:
    told = says(some(0.5, 60), some(0.75, 60))
    assert told.votes > 2
    assert told.rate < told.usual
    assert assumed(FRESH, [], told.record).right / sum(assumed(FRESH, [], told.record)) < 0.75


def test_nothing_is_told_within_two_standard_errors() -> None:
    number = 2
    while says(some(0.85, number), some(0.75, 1000)).votes == 0:
        number += 1
    holders, others = added(some(0.85, number)), added(some(0.75, 1000))
    effect = holders.mean - others.mean
    assert effect**2 > DOUBT * (holders.variance + others.variance)
    assert effect**2 < 1.2 * DOUBT * (holders.variance + others.variance)


def test_of_several_claims_the_most_telling_one_counts_alone() -> None:
    told = [says(some(rate, 30), some(0.75, 100)) for rate in (0.85, 0.99, 0.75)]
    assert most_telling(told) == told[1]


def test_an_experts_own_records_outweigh_a_claim_soon() -> None:
    claim = says(some(0.99, 1000), some(0.7, 1000)).record
    assert claim.total > 3.8

    def rate(votes: int) -> float:
        own = [Elsewhere(1.0, 0.4 * votes, USUAL * votes, votes)] if votes else []
        right, wrong = assumed(FRESH, own, claim)
        return right / (right + wrong)

    rates = [rate(votes) for votes in (0, 5, 20, 100)]
    assert rates[0] > 0.8
    assert rates == sorted(rates, reverse=True)
    assert rates[2] < 0.65
    right, wrong = assumed(FRESH, [Elsewhere(1.0, 40, 75, 100)])
    assert rates[3] == pytest.approx(right / (right + wrong), abs=0.02)


def test_a_claim_known_for_certain_stands_in_for_the_usual_votes_added_to_a_record() -> None:
    sure = Elsewhere(1.0, 4 * 0.9, 4 * USUAL, 4.0)
    right, wrong = assumed(FRESH, [], sure)
    assert (right, wrong) == pytest.approx((6 + 3.6, 2 + 0.4))
    assert log(right / wrong) == pytest.approx(log(4))
