"""Decisions: what follows from a judgement, and what a person must say to pay less than all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tasking.domain.decision import (
    ALL,
    GROUNDS,
    LEAST_REASON,
    FindingsImpossible,
    ReasonTooShort,
    Standing,
    Step,
    UnknownGround,
    check_findings,
    check_ruling,
    judge,
)

UNDECIDED = Standing(version=0, payable=0, has_case=False)
REASON = (
    "The answer repeats the first response word for word, in all of the five criteria, and says nothing of its own."
)
SHARES = st.integers(0, ALL)
STANDINGS = st.builds(Standing, version=st.integers(0, 5), payable=SHARES, has_case=st.booleans())


def test_an_acceptance_passes_by_itself() -> None:
    assert judge(UNDECIDED, ALL) is Step.ACCEPT


@pytest.mark.parametrize("proposed", [0, 1, ALL - 1])
def test_any_proposal_of_less_than_all_is_for_a_person(proposed: int) -> None:
    assert judge(UNDECIDED, proposed) is Step.OPEN_CASE


def test_an_answer_has_one_case_however_often_it_is_scored() -> None:
    assert judge(Standing(version=0, payable=0, has_case=True), 0) is Step.NOTHING


def test_an_acceptance_after_a_proposed_rejection_needs_no_person_any_more() -> None:
    assert judge(Standing(version=0, payable=0, has_case=True), ALL) is Step.ACCEPT


def test_a_re_score_raises_what_a_person_has_lowered() -> None:
    assert judge(Standing(version=1, payable=2_500, has_case=True), ALL) is Step.ACCEPT


@given(STANDINGS, SHARES)
def test_a_re_score_never_touches_what_is_decided_but_to_accept_it(standing: Standing, proposed: int) -> None:
    step = judge(standing, proposed)
    if standing.version:
        assert step is (Step.ACCEPT if proposed == ALL and standing.payable < ALL else Step.NOTHING)


@given(STANDINGS, SHARES)
def test_the_same_judgement_after_its_own_effect_changes_nothing(standing: Standing, proposed: int) -> None:
    step = judge(standing, proposed)
    after = standing
    if step is Step.ACCEPT:
        after = Standing(standing.version + 1, ALL, standing.has_case)
    elif step is Step.OPEN_CASE:
        after = Standing(standing.version, standing.payable, True)
    assert judge(after, proposed) is Step.NOTHING


def test_paying_all_needs_no_word() -> None:
    check_ruling(ALL, "", "")


@pytest.mark.parametrize("ground", sorted(GROUNDS))
def test_paying_less_needs_a_ground_of_the_list_and_a_reason(ground: str) -> None:
    check_ruling(0, ground, REASON)


@pytest.mark.parametrize("ground", ["", "fraud", "BAD_VIBES"])
def test_a_ground_off_the_list_is_refused(ground: str) -> None:
    with pytest.raises(UnknownGround) as refused:
        check_ruling(9_999, ground, REASON)
    assert refused.value.field == "ground"


def test_blanks_do_not_make_a_reason_longer() -> None:
    with pytest.raises(ReasonTooShort) as refused:
        check_ruling(0, "FRAUD", "x" * (LEAST_REASON - 1) + " " * 50)
    assert refused.value.field == "reason"


@pytest.mark.parametrize("probability", [float("nan"), float("inf"), -0.1, 1.1])
def test_a_probability_that_is_none_is_no_finding(probability: float) -> None:
    with pytest.raises(FindingsImpossible):
        check_findings([0.5, probability], [])


@pytest.mark.parametrize("share", [-1, ALL + 1])
def test_a_share_of_less_than_nothing_or_more_than_all_is_no_finding(share: int) -> None:
    with pytest.raises(FindingsImpossible):
        check_findings([], [share])


@given(st.lists(st.floats(0, 1)), st.lists(SHARES))
def test_probabilities_and_shares_within_their_bounds_are_findings(
    probabilities: list[float], shares: list[int]
) -> None:
    check_findings(probabilities, shares)
