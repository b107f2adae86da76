"""Pairwise preference: from stated strengths to a side, and its mirror image."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preceptor.work.v1.pairwise_preference_pb2 import SIDE_A, SIDE_B, SIDE_TIE, PairwisePreferenceAnswer
from preceptor.work.v1.work_pb2 import Answer, Question, Result

from chassis.contract.work import task_types
from services.scoring.aggregation.types import AGGREGATORS, UnknownTaskType, aggregator_for
from services.scoring.aggregation.types.aggregator import AnswerMisfit
from services.scoring.aggregation.types.pairwise_preference import AGGREGATOR, TIE, A
from services.scoring.domain.votes import Ballot
from tests.support.findings import findings

ASKED = Question(id="preference")
PREFERENCES = st.lists(st.integers(-3, 3), min_size=1, max_size=9)


def answer(preference: int, *, both_bad: bool = False) -> Answer:
    return Answer(pairwise_preference=PairwisePreferenceAnswer(preference=preference, both_bad=both_bad))


def aggregated(preferences: list[int]) -> Result:
    return AGGREGATOR.result([ASKED], findings(AGGREGATOR, [ASKED], [answer(p) for p in preferences]))


@pytest.mark.parametrize(("preference", "word"), [(-3, "A"), (-1, "A"), (0, "TIE"), (1, "B"), (3, "B")])
def test_the_sign_of_the_preference_is_the_side(preference: int, word: str) -> None:
    for both_bad in (False, True):
        [(label, strength)] = AGGREGATOR.read(answer(preference, both_bad=both_bad), [ASKED])
        assert label is not None
        assert (AGGREGATOR.labels(ASKED)[label], strength) == (word, preference)


@pytest.mark.parametrize("misfit", [Answer(), Answer(pairwise_preference=PairwisePreferenceAnswer(both_bad=True))])
def test_an_answer_without_a_preference_is_refused(misfit: Answer) -> None:
    with pytest.raises(AnswerMisfit):
        AGGREGATOR.read(misfit, [ASKED])


@pytest.mark.parametrize(
    ("preferences", "side"),
    [
        ([-2, -1, 3], SIDE_A),  # two against one, however strongly
        ([-3, 1], SIDE_A),  # a draw: the stronger preference
        ([-1, 2], SIDE_B),
        ([-2, 2], SIDE_TIE),  # in balance
        ([0, 2], SIDE_B),
        ([0, 0, 1], SIDE_TIE),
        ([-1, 0, 1], SIDE_TIE),
    ],
)
def test_the_preferred_side_is_the_most_probable_and_draws_go_by_strength(preferences: list[int], side: int) -> None:
    assert aggregated(preferences).pairwise_preference.preferred == side


def test_a_draw_with_a_tie_that_leans_elsewhere_is_a_tie() -> None:
    # A and TIE lead alike; the vote for B of a rater who weighs little makes the mean lean to B, which does not lead.
    cast = [Ballot((p > 0) - (p < 0) + 1, p) for p in (-1, 0, 3)]
    assert AGGREGATOR.at_a_draw(ASKED, [A, TIE], cast) == TIE


def test_the_result_tells_the_chances_of_a_further_expert_and_the_mean() -> None:
    [found] = findings(AGGREGATOR, [ASKED], [answer(-3), answer(-1)])
    result = AGGREGATOR.result([ASKED], [found]).pairwise_preference
    # A fresh expert is right in 3 of 4 cases, and wrong with either other side alike.
    assert result.probability_a == pytest.approx(found.confidence * 3 / 4 + (1 - found.confidence) / 8)
    assert result.probability_tie == pytest.approx(result.probability_b)
    assert result.probability_a + result.probability_tie + result.probability_b == pytest.approx(1)
    assert result.mean_preference == -2.0


@settings(deadline=None)  # the first run compiles
@given(PREFERENCES)
def test_when_a_and_b_change_places_the_result_is_the_mirror_image(preferences: list[int]) -> None:
    there = aggregated(preferences).pairwise_preference
    back = aggregated([-preference for preference in preferences]).pairwise_preference
    mirror = {SIDE_A: SIDE_B, SIDE_TIE: SIDE_TIE, SIDE_B: SIDE_A}
    assert back.preferred == mirror[there.preferred]
    mirrored = (there.probability_b, there.probability_tie, there.probability_a)
    assert (back.probability_a, back.probability_tie, back.probability_b) == pytest.approx(mirrored, abs=1e-6)
    assert back.mean_preference == -there.mean_preference


def test_every_task_type_has_an_aggregator_whose_result_is_of_that_type() -> None:
    assert set(AGGREGATORS) == {parts.number for parts in task_types().values()}
    assert aggregated([1]).WhichOneof("type") == "pairwise_preference"


def test_an_unknown_task_type_is_refused() -> None:
    with pytest.raises(UnknownTaskType):
        aggregator_for(999)
