"""What must hold of the consensus whatever the answers are."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.scoring.aggregation.kinds.choice.live import LiveChoices
from services.scoring.aggregation.models import confusion, mixture, one_coin
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import crowd, tally
from services.scoring.aggregation.models.sweeps import expect_one_coin
from tests.support.crowds import answers

SEEDS = st.integers(0, 10_000)
TASKS, WORKERS, CLASSES = 40, 8, 3


def found(task: np.ndarray, worker: np.ndarray, label: np.ndarray) -> np.ndarray:
    return mixture.consensus(crowd(task, worker, label, tasks=TASKS, workers=WORKERS, classes=CLASSES))


def some(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return answers(tasks=TASKS, workers=WORKERS, classes=CLASSES, per_task=4, seed=seed)[:3]


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_neither_order_nor_duplicates_show(seed: int) -> None:
    task, worker, label = some(seed)
    order = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(task)), 2))
    np.testing.assert_array_equal(found(task, worker, label), found(task[order], worker[order], label[order]))


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_names_of_tasks_raters_and_classes_do_not_show(seed: int) -> None:
    task, worker, label = some(seed)
    rng = np.random.default_rng(seed)
    tasks, workers, classes = rng.permutation(TASKS), rng.permutation(WORKERS), rng.permutation(CLASSES)
    renamed = found(tasks[task], workers[worker], classes[label])
    np.testing.assert_allclose(renamed[tasks][:, classes], found(task, worker, label), atol=2e-3)


@given(SEEDS)
@example(344)
@example(731)
@settings(max_examples=10, deadline=None)
def test_one_more_vote_for_the_leader_makes_it_no_less_sure(seed: int) -> None:
    task, worker, label = some(seed)
    before = found(task, worker, label)
    chosen = int(np.argmax(before.max(axis=1)))
    leader = int(before[chosen].argmax())
    absent = int(np.setdiff1d(np.arange(WORKERS), worker[task == chosen])[0])
    after = found(np.append(task, chosen), np.append(worker, absent), np.append(label, leader))
    # The vote also tells a little of all raters, by whom the others here are weighed: two of a thousand crowds lose by
    # that, up to 0.2 points.
    assert after[chosen, leader] >= before[chosen, leader] - 5e-3


@given(SEEDS)
@settings(max_examples=10, deadline=None)
def test_by_the_one_coin_an_answer_never_lowers_what_it_says(seed: int) -> None:
    task, worker, label = some(seed)
    votes = crowd(task, worker, label, tasks=TASKS, workers=WORKERS, classes=CLASSES)
    fit = one_coin.fit(votes, np.full(TASKS, -1, dtype=np.int32), DEFAULT)
    weight = one_coin.weights(fit.correct, fit.total, CLASSES, DEFAULT)
    prior = np.log(confusion.answer_shares(votes)).astype(np.float32)
    scores = np.zeros((2, CLASSES), dtype=np.float32)
    for rater in np.flatnonzero(weight >= 0):
        for chosen, named in product(range(TASKS), range(CLASSES)):
            begin, end = votes.starts[chosen], votes.starts[chosen + 1]
            voters = np.append(votes.worker[begin:end], np.int32(rater))
            labels = np.append(votes.label[begin:end], np.int32(named))
            for more in (0, 1):
                expect_one_coin(0, end - begin + more, voters, labels, weight, prior, -1, scores[more])
            assert scores[1, named] >= scores[0, named] - 1e-6


def test_a_label_that_nobody_names_changes_nothing_much() -> None:
    task, worker, label = some(0)
    with_one_more = crowd(task, worker, label, tasks=TASKS, workers=WORKERS, classes=CLASSES + 1)
    shares = confusion.answer_shares(with_one_more)
    three = confusion.answer_shares(crowd(task, worker, label, tasks=TASKS, workers=WORKERS, classes=CLASSES))
    np.testing.assert_allclose(shares[:3] / shares[:3].sum(), three, atol=0.02)


def test_what_a_sample_begins_ends_where_all_would() -> None:
    task, worker, label, truth = answers(tasks=2000, workers=40, classes=3, per_task=5)
    votes = crowd(task, worker, label, classes=3)
    sampled = mixture.consensus(votes, None, replace(DEFAULT, large=5000, settled=1e-6))
    whole = mixture.consensus(votes, None, replace(DEFAULT, settled=1e-6))
    assert np.mean(sampled.argmax(axis=1) == whole.argmax(axis=1)) > 0.99
    assert abs(sampled - whole).mean() < 0.005
    sample = votes.every(8)
    assert sample.tasks == 250
    np.testing.assert_array_equal(tally(sample), tally(votes)[::8])
    assert np.mean(sampled.argmax(axis=1) == truth) == pytest.approx(np.mean(whole.argmax(axis=1) == truth), abs=0.005)


@pytest.mark.parametrize("seed", range(3))
def test_live_ends_near_the_batch_and_a_fit_ends_at_it(seed: int) -> None:
    task, worker, label, truth = answers(tasks=300, workers=25, classes=3, per_task=5, seed=seed)
    order = np.random.default_rng(seed).permutation(len(task))
    live = LiveChoices(300, 25, 3)
    for some in np.split(order, range(100, len(order), 100)):
        live.take(task[some], worker[some], label[some])
    batch = mixture.consensus(crowd(task, worker, label, classes=3))
    near = np.mean(live.posterior().argmax(axis=1) == truth), np.mean(batch.argmax(axis=1) == truth)
    assert near[0] == pytest.approx(near[1], abs=0.02)
    live.fit()
    np.testing.assert_allclose(live.posterior(), batch, atol=1e-6)


def test_a_vote_that_its_rater_replaces_leaves_nothing_behind() -> None:
    task, worker, label, _ = answers(tasks=50, workers=8, classes=3, per_task=4)
    live, plain = LiveChoices(50, 8, 3), LiveChoices(50, 8, 3)
    live.take(task, worker, (label + 1) % 3)
    live.take(task, worker, label)
    plain.take(task, worker, label)
    for state in (live, plain):
        state.fit()
        np.testing.assert_allclose(state.pool.coin.total.sum(), len(task))
    np.testing.assert_array_equal(live.posterior(), plain.posterior())
    np.testing.assert_array_equal(live.pool.coin.correct, plain.pool.coin.correct)


def test_few_answers_are_fitted_each_time_and_many_when_they_have_grown_by_a_tenth() -> None:
    assert [DEFAULT.fit_at(votes) for votes in (0, 1, 10, 11, 1000)] == [1, 2, 11, 13, 1100]
