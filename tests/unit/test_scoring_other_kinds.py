"""Texts, numbers, preferences, levels, sets, and bad raters."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.evaluate.bad_raters import Habit, area, with_bad
from services.scoring.aggregation.kinds.choice import overlap
from services.scoring.aggregation.kinds.level import consensus as level
from services.scoring.aggregation.kinds.number import consensus as number
from services.scoring.aggregation.kinds.order import consensus as order
from services.scoring.aggregation.kinds.set.consensus import consensus as labels_of
from services.scoring.aggregation.kinds.spans.consensus import Span
from services.scoring.aggregation.kinds.spans.consensus import consensus as spans_of
from services.scoring.aggregation.kinds.text import consensus as text
from services.scoring.aggregation.kinds.text.alignment import aligned, edits
from services.scoring.aggregation.models import rings
from services.scoring.aggregation.models.crowd import crowd
from tests.support.crowds import answers


def numbered(*texts: str) -> list[np.ndarray]:
    known: dict[str, int] = {}
    return [np.array([known.setdefault(w, len(known)) for w in text.words(t)], dtype=np.int32) for t in texts]


def test_edits_are_counted_as_by_levenshtein() -> None:
    one, other = numbered("k i t t e n", "s i t t i n g")
    assert edits(one, other) == 3
    assert edits(one, one) == 0
    assert edits(one, one[:0]) == 6


def test_words_lie_beside_their_like_or_in_gaps() -> None:
    backbone, other = numbered("the cat sat", "the black cat sits")
    assert aligned(backbone, other).tolist() == [1, 2, 3, 5]


def test_texts_mend_each_other_word_by_word() -> None:
    said = numbered("a cat sat on the mat", "the cat sat on a mat", "the cat sat the mat", "the cat sat on the mat")
    found = text.consensus([text.Text(0, worker, words) for worker, words in enumerate(said[:3])], 3)
    assert found[0].tolist() == said[3].tolist()


def test_severity_of_raters_is_taken_out_of_numbers() -> None:
    rng = np.random.default_rng(0)
    theta, severity = rng.normal(1, 1, 400), np.array([-1.0, 0, 1])
    task, worker = np.repeat(np.arange(400), 3), np.tile(np.arange(3), 400)
    value = np.exp(theta[task] + severity[worker] + rng.normal(0, 0.2, len(task)))
    scores = number.Scores(task, worker, value, 400, 3)
    choice, predicted = number.chosen(scores)
    assert choice is not None
    plain = number.held_out(scores, None)
    assert np.abs(predicted - value).mean() < 0.5 * np.abs(plain - value).mean()


def scores_from_elsewhere(gold: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What raters find who all see a fifth of the differences; the truth, and the tasks of which it is known."""
    rng = np.random.default_rng(7)
    truth = rng.normal(50, 20, 200)
    return truth * 0.2 + 50 + rng.normal(0, 0.5, 200), truth, rng.permutation(200)[:gold]


def test_gold_tells_how_all_raters_err_together_in_numbers() -> None:
    errors = []
    for size in (0, 5, 20, 100):
        found, truth, gold = scores_from_elsewhere(size)
        told = number.learned(found, gold, truth[gold])
        np.testing.assert_array_equal(told[gold], truth[gold])
        others = np.setdiff1d(np.arange(200), gold)
        errors.append(np.abs(told - truth)[others].mean())
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < 0.4 * errors[0]


@given(st.integers(1, 60), st.integers(0, 1000))
def test_gold_that_agrees_changes_no_number(size: int, seed: int) -> None:
    found = np.random.default_rng(seed).normal(3, 2, 60)
    gold = np.arange(size)
    np.testing.assert_allclose(number.learned(found, gold, found[gold]), found)


def test_numbers_of_raters_alike_are_left_to_the_mean() -> None:
    rng = np.random.default_rng(0)
    task, worker = np.repeat(np.arange(100), 5), np.tile(np.arange(5), 100)
    scores = number.Scores(task, worker, rng.normal(0, 1, 500) + rng.normal(0, 1, 100)[task], 100, 5)
    found, width = number.consensus(scores)
    np.testing.assert_allclose(found, np.bincount(task, scores.value) / 5)
    assert width[0] > 0


def test_the_gradient_of_preferences_is_that_of_their_loss() -> None:
    rng = np.random.default_rng(0)
    n, sizes = 50, (4, 4, 6, 3)
    left = rng.integers(0, 4, n)
    right = (left + 1 + rng.integers(0, 3, n)) % 4
    pair, worker = rng.integers(0, 6, n), rng.integers(0, 3, n)
    votes = order.Votes(left, right, left, right, pair, worker, rng.choice([0, 0.5, 1.0], n), sizes)
    x = rng.normal(0, 0.3, sum(sizes) + 4)

    def loss(at: np.ndarray) -> float:
        return n * order.log_loss(order.Strengths.of(at, sizes).logits(votes), votes.won)

    now = order.Strengths.of(x, sizes)
    steps = np.eye(len(x)) * 1e-6
    numeric_gradient = [(loss(x + step) - loss(x - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(order.gradient(now, votes, now.logits(votes)), numeric_gradient, atol=1e-5)


def test_the_median_level_is_the_least_far() -> None:
    posterior, levels = np.array([[0.4, 0.15, 0.45]]), np.array([1.0, 2, 3])
    assert level.median_level(posterior, levels).tolist() == [2]
    assert level.mean_level(posterior, levels).tolist() == pytest.approx([2.05])
    assert [bound.tolist() for bound in level.interval(posterior, levels)] == [[1], [3]]


def test_each_label_of_a_set_is_found_by_itself() -> None:
    task, worker = np.repeat(np.arange(30), 3), np.tile(np.arange(3), 30)
    named = [frozenset({int(t) % 2, 2}) for t in task]
    found = labels_of(task, worker, named, workers=3, gold=np.full((30, 3), -1, dtype=np.int32)) > 0.5
    assert found[:, 2].all()
    np.testing.assert_array_equal(found[:, 0], np.arange(30) % 2 == 0)


def test_spans_are_what_most_have_marked() -> None:
    marks = {(0, 0): [Span(2, 8)], (0, 1): [Span(2, 8)], (0, 2): [Span(4, 8), Span(20, 22)], (1, 0): []}
    found = spans_of(marks, workers=3)
    assert [marked.span for marked in found[0]] == [(2, 8)]
    assert found[1] == []


def test_an_answer_that_cannot_change_the_leader_is_worth_nothing() -> None:
    rows = np.array([[0.8, 0.2], [0.2, 0.8]])
    posterior = np.array([[0.5, 0.5], [0.9, 0.1], [1 - 1e-9, 1e-9]])
    worth = overlap.worth(posterior, rows, np.array([5, 5, 5]))
    assert worth[0] > worth[1] > worth[2]
    assert worth[2] < overlap.PRICE
    assert overlap.worth(posterior, rows, np.zeros(3, dtype=np.int64)).tolist() == [0, 0, 0]


@pytest.mark.parametrize("habit", Habit)
def test_bad_raters_score_above_honest_ones(habit: Habit) -> None:
    task, worker, label, _ = answers(tasks=300, workers=40, classes=4, per_task=6)
    honest = crowd(task, worker, label, classes=4)
    mixed = with_bad(honest, habit, 0.25, np.random.default_rng(0))
    bad = np.arange(mixed.workers) >= honest.workers
    assert area(rings.suspicion(mixed), bad) > 0.9
    assert not rings.flagged(honest).any()
    if habit is Habit.RING:
        assert rings.flagged(mixed)[bad].mean() > 0.8


def test_measures_are_as_defined() -> None:
    posterior, truth = np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]]), np.array([0, 1, -1])
    right = measures.hits(posterior, truth)
    assert right.tolist() == [0.5, 0, 0]
    assert measures.calibration_error(posterior, right) == pytest.approx((0 + 0.9 + 0.8) / 3)
    assert measures.brier(posterior[:2], truth[:2]) == pytest.approx((0.5 + 1.62) / 2)
    assert measures.log_loss(posterior[:2], truth[:2]) == pytest.approx(-(np.log(0.5) + np.log(0.1)) / 2)


def test_good_raters_who_agree_on_all_questions_of_two_tasks_are_no_ring() -> None:
    """Regression: questions counted like tasks, so that two rubrics were enough to take three seniors for a ring."""
    questions, labels = [4] * 2 + [1] * 10, {0: 1, 1: 1, 2: 1, 3: 0, 4: 2}
    votes = [(item, rater, label) for item in range(8) for rater, label in labels.items()]
    votes += [(8 + task, 5 + (task + k) % 6, k % 3) for task in range(10) for k in range(4)]
    item, rater, label = np.array(votes).T
    crowded = crowd(item, rater, label, tasks=18, workers=11, classes=3)
    counts = rings.counts_of(np.repeat(questions, questions))
    assert [set(found.tolist()) for found in rings.rings(crowded)] == [{0, 1, 2}], "they do agree beyond chance"
    assert rings.rings(crowded, counts) == []


@pytest.mark.parametrize("questions", [1, 4])
def test_who_copies_on_many_tasks_is_in_a_ring_however_many_questions_they_have(questions: int) -> None:
    tasks, chance = 12, np.random.default_rng(7)
    copied = chance.integers(0, 3, tasks * questions)
    votes = [(item, rater, copied[item]) for item in range(len(copied)) for rater in range(3)]
    votes += [(item, 3 + rater, chance.integers(0, 3)) for item in range(len(copied)) for rater in range(4)]
    item, rater, label = np.array(votes).T
    counts = rings.counts_of(np.full(len(copied), questions))
    found = rings.rings(crowd(item, rater, label, tasks=len(copied), workers=7, classes=3), counts)
    assert [set(ring.tolist()) for ring in found] == [{0, 1, 2}]
