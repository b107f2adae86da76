"""Rubric grade: levels and "not applicable" as labels, "cannot assess" as none, and the total that weights make."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preceptor.work.v1.rubric_grade_pb2 import NOT_GRADED_NOT_APPLICABLE, RubricGradeResult
from preceptor.work.v1.work_pb2 import Answer

from chassis.contract.answers import questions_of
from services.scoring.aggregation.types.aggregator import AnswerMisfit, Stated
from services.scoring.aggregation.types.rubric_grade import AGGREGATOR
from services.scoring.domain.consensus import Consensus
from services.scoring.domain.rubric import Grade, total
from tests.support.findings import findings, found
from tests.support.work import grades, rubric

QUESTIONS = list(questions_of(rubric()).questions)
ACCURACY, TONE, PADDING = QUESTIONS
NA = len(TONE.levels)
LABELS = st.lists(st.integers(0, NA), min_size=1, max_size=7)


def tone(labels: list[int]) -> Consensus:
    consensus = found(AGGREGATOR, TONE, [Stated(label) for label in labels]).consensus
    assert consensus is not None
    return consensus


def graded(*answers: Answer) -> RubricGradeResult:
    """The result of answers by experts of whom nothing is known."""
    return AGGREGATOR.result(QUESTIONS, findings(AGGREGATOR, QUESTIONS, answers)).rubric_grade


def test_a_level_is_its_place_on_the_scale_and_not_applicable_comes_after() -> None:
    stated = AGGREGATOR.read(grades(tone=2, padding="n/a", accuracy="?"), QUESTIONS)
    assert [each.label for each in stated] == [None, 1, 2]
    assert AGGREGATOR.labels(TONE) == ("1", "2", "3", "4", "5", "NOT_APPLICABLE")


@pytest.mark.parametrize(
    "misfit",
    [Answer(), grades(accuracy=3, tone=5), grades(accuracy=9, tone=5, padding=0)],
)
def test_an_answer_that_lacks_a_criterion_or_leaves_its_scale_is_refused(misfit: Answer) -> None:
    with pytest.raises(AnswerMisfit):
        AGGREGATOR.read(misfit, QUESTIONS)


@pytest.mark.parametrize(
    ("labels", "chosen"),
    [
        ([4, 4, 0], 4),
        ([0, 4], 0),  # a draw: alike near to the mean, so the lower
        ([0, 3, 4], 3),  # a draw: the nearest to the mean
        ([NA, 2], 2),  # a draw: a level before "not applicable"
        ([NA, NA, 2], NA),
    ],
)
def test_the_most_probable_level_is_chosen_and_draws_go_to_the_middle(labels: list[int], chosen: int) -> None:
    assert tone(labels).label == chosen


@settings(deadline=None)  # the first run compiles
@given(LABELS, st.randoms(use_true_random=False))
def test_the_order_of_grades_does_not_show(labels: list[int], random: object) -> None:
    there, shuffled = tone(labels), tone(sorted(labels, key=lambda _: random.random()))  # type: ignore[attr-defined]
    assert shuffled.label == there.label
    assert shuffled.probabilities == pytest.approx(there.probabilities, abs=1e-6)


def test_the_total_is_the_weights_times_how_far_up_the_scale_each_level_is() -> None:
    result = graded(*[grades(accuracy=2, tone=5, padding=0)] * 2)
    assert (result.total, result.percent) == (60 * 0.5 + 40, 70.0)
    assert [each.level for each in result.criteria] == [2, 5, 0]
    assert list(result.critical_failures) == []


def test_a_flaw_takes_away_and_never_below_nothing() -> None:
    assert graded(grades(accuracy=3, tone=5, padding=1)).percent == 80.0
    assert graded(grades(accuracy=1, tone=1, padding=1)).percent == 0.0


def test_a_critical_failure_caps_the_percent_at_forty() -> None:
    result = graded(grades(accuracy="n/a", tone=5, padding=0))
    assert (result.percent, list(result.critical_failures)) == (100.0, [])
    failed = total([Grade("accuracy", 10, 0.0, critical=True), Grade("tone", 90, 1.0, critical=False)])
    assert (failed.points, failed.percent, failed.failures) == (90.0, 40.0, ("accuracy",))
    assert graded(grades(accuracy=1, tone=5, padding=0)).percent == 40.0


def test_what_does_not_apply_counts_for_nothing() -> None:
    result = graded(*[grades(accuracy=3, tone="n/a", padding=0)] * 2)
    assert result.percent == 100.0
    assert result.criteria[1].not_graded == NOT_GRADED_NOT_APPLICABLE
    assert not result.criteria[1].HasField("expected_level")


def test_not_applicable_is_kept_out_of_the_mean_of_the_levels() -> None:
    with_level = graded(*[grades(accuracy=3, tone=4, padding=0)] * 3).criteria[1]
    mixed = graded(*[grades(accuracy=3, tone=4, padding=0)] * 3, grades(accuracy=3, tone="n/a", padding=0)).criteria[1]
    assert mixed.level == 4
    assert mixed.expected_level == pytest.approx(with_level.expected_level, abs=0.01)
    assert mixed.probability_not_applicable > with_level.probability_not_applicable


def test_who_cannot_assess_changes_no_probability_and_is_counted() -> None:
    sure = graded(*[grades(accuracy=3, tone=4, padding=0)] * 2).criteria[0]
    unsure = graded(*[grades(accuracy=3, tone=4, padding=0)] * 2, grades(accuracy="?", tone=4, padding=0)).criteria[0]
    assert (unsure.level, unsure.confidence) == (sure.level, sure.confidence)
    assert (unsure.assessed, unsure.cannot_assess) == (2, 1)


def test_what_nobody_could_assess_has_no_finding() -> None:
    result = graded(grades(accuracy="?", tone="?", padding="?"))
    assert [each.WhichOneof("finding") for each in result.criteria] == [None] * 3
    assert [each.confidence for each in result.criteria] == [0.0] * 3
    assert not result.HasField("percent")
