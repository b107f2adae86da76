"""The models of choice: each formula against a calculation in plain NumPy and SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import digamma as scipy_digamma

from services.scoring.aggregation.models import confusion, mixture, one_coin
from services.scoring.aggregation.models.configuration import DEFAULT, Member
from services.scoring.aggregation.models.crowd import Crowd, crowd, tally
from services.scoring.aggregation.models.sweeps import digamma
from tests.support.crowds import answers

TASKS, WORKERS, CLASSES = 60, 9, 3


@pytest.fixture(scope="module")
def votes() -> Crowd:
    task, worker, label, _ = answers(tasks=TASKS, workers=WORKERS, classes=CLASSES, per_task=4)
    return crowd(task, worker, label, classes=CLASSES)


def softmax(scores: np.ndarray) -> np.ndarray:
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("x", [0.05, 0.7, 1.0, 3.3, 6.0, 250.0])
def test_digamma_is_that_of_scipy(x: float) -> None:
    assert digamma(x) == pytest.approx(float(scipy_digamma(x)), abs=1e-8)


def test_of_repeats_by_a_rater_the_last_stands() -> None:
    two = crowd(np.array([0, 0, 0]), np.array([1, 0, 1]), np.array([0, 0, 2]), classes=3)
    assert tally(two).tolist() == [[1, 0, 1]]


def test_the_one_coin_model_follows_its_formulas(votes: Crowd) -> None:
    config = replace(DEFAULT, sweeps=3, settled=0.0)
    shares = confusion.answer_shares(votes)
    posterior = tally(votes) / votes.sizes[:, None]
    total = np.bincount(votes.worker, minlength=WORKERS)
    for _ in range(3):
        correct = np.bincount(votes.worker, posterior[votes.task, votes.label], WORKERS)
        mean = (correct.sum() + 6) / (total.sum() + 8)
        q = (correct + 8 * mean) / (total + 8)
        scores = np.tile(np.log(shares), (TASKS, 1))
        for t, w, k in zip(votes.task, votes.worker, votes.label, strict=True):
            scores[t, k] += np.log(q[w] * (CLASSES - 1) / (1 - q[w]))
        posterior = softmax(scores)
    fit = one_coin.fit(votes, np.full(TASKS, -1, dtype=np.int32), config)
    np.testing.assert_allclose(fit.posterior, posterior, atol=1e-4)


@pytest.mark.parametrize("member", [DEFAULT.crowd, DEFAULT.subtype, Member(2, 3.0, False, 0.5, True)])
def test_confusion_models_follow_their_formulas(votes: Crowd, member: Member) -> None:
    m, cells = member.subtypes, CLASSES * member.subtypes
    share = tally(votes) / votes.sizes[:, None]
    near = np.exp(-0.5 * (share[:, :, None] * m - np.arange(m) - 0.5) ** 2)
    z = (share[:, :, None] * near / near.sum(axis=2, keepdims=True)).reshape(TASKS, cells)
    of_class = np.arange(cells) // m
    for _ in range(2):
        counts = np.zeros((WORKERS, cells, CLASSES))
        for t, w, k in zip(votes.task, votes.worker, votes.label, strict=True):
            counts[w, :, k] += z[t]
        mass = z.sum(axis=0).reshape(CLASSES, m)
        prior = prior_rows(counts, of_class, member)
        mu = counts + member.strength * prior + member.doubt
        table = scipy_digamma(mu) - scipy_digamma(mu.sum(axis=2))[:, :, None]
        frequency = (mass.sum(axis=1) + 2 / CLASSES) / (mass.sum() + 2)
        log_class = np.log(frequency if member.learns_prior else confusion.answer_shares(votes))
        eta = mass + 0.1 / m
        within = scipy_digamma(eta) - scipy_digamma(eta.sum(axis=1))[:, None] if m > 1 else np.zeros_like(mass)
        scores = np.tile((log_class[:, None] + within).ravel(), (TASKS, 1))
        for t, w, k in zip(votes.task, votes.worker, votes.label, strict=True):
            scores[t] += table[w, :, k]
        z = softmax(scores)
    fit = confusion.fit(votes, np.full(TASKS, -1, dtype=np.int32), member, replace(DEFAULT, sweeps=2, settled=0.0))
    np.testing.assert_allclose(fit.posterior, z.reshape(TASKS, CLASSES, m).sum(axis=2), atol=1e-4)


def prior_rows(counts: np.ndarray, of_class: np.ndarray, member: Member) -> np.ndarray:
    if member.pooled:
        rows = counts.sum(axis=0) + np.eye(CLASSES) * CLASSES + 1
        return np.broadcast_to((rows / rows.sum(axis=1, keepdims=True))[of_class], counts.shape)
    right = np.eye(CLASSES)[of_class]
    mean = ((counts * right).sum() + 6) / (counts.sum() + 8)
    q = ((counts * right).sum(axis=(1, 2)) + 8 * mean) / (counts.sum(axis=(1, 2)) + 8)
    return np.asarray(q[:, None, None] * right + ((1 - q) / (CLASSES - 1))[:, None, None] * (1 - right))


def test_the_mixture_is_the_weighted_mean_tempered(votes: Crowd) -> None:
    members = mixture.members(votes)
    mixed = sum(w * p for w, p in zip(DEFAULT.weights, members, strict=True)) / sum(DEFAULT.weights)
    powered = np.maximum(mixed, 1e-6) ** (1 / DEFAULT.temperature)
    np.testing.assert_allclose(mixture.consensus(votes), powered / powered.sum(axis=1, keepdims=True), atol=1e-9)


def test_gold_is_certain_and_leaves_the_rest_probable(votes: Crowd) -> None:
    gold = np.full(TASKS, -1, dtype=np.int32)
    gold[:20] = 1
    found = mixture.consensus(votes, gold)
    assert np.all(found[:20, 1] == 1)
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_one_answer_a_task_says_what_it_says() -> None:
    task, worker, label, _ = answers(tasks=200, workers=20, classes=4, per_task=1)
    found = mixture.consensus(crowd(task, worker, label, classes=4))
    assert np.mean(found.argmax(axis=1) == label) > 0.99
