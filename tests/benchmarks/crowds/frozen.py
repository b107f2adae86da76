"""The frozen list: methods that a consensus is held against, whatever becomes of the engine.

Majority; Dawid and Skene as crowd-kit 1.4.2 fits it by default; Wawa as there; and the members and the mixture of this
engine as they were at commit 7513170, with the constants of that day. `tests/unit/test_crowds.py` holds their figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models.crowd import Crowd, Floats, tally
from services.scoring.aggregation.models.sweeps import compiled, digamma

Method = Callable[[Crowd], Floats]
"""The posterior of each task, or what stands for it, shape (tasks, classes)."""

_LEAST = 1e-10
_SWEEPS = 100
_SETTLED = 1e-5
_RIGHT, _WRONG = 6.0, 2.0
_STRENGTH = 4.0
_SUBTYPES = 3
_CONCENTRATION = 0.1
_WEIGHTS = np.array([2.0, 3.0, 1.0, 2.0]) / 8
_TEMPERATURE = 1.3
_CELLS = 1 << 26


def majority(crowd: Crowd) -> Floats:
    """The share of each label in a task's votes."""
    votes = tally(crowd) + 1e-9
    return np.asarray(votes / votes.sum(axis=1, keepdims=True))


def wawa(crowd: Crowd) -> Floats:
    """Majority weighed by how often each rater names the label of the majority."""
    leading = tally(crowd).argmax(axis=1)[crowd.task] == crowd.label
    votes = np.maximum(np.bincount(crowd.worker, minlength=crowd.workers), 1)
    skill = np.bincount(crowd.worker, weights=leading, minlength=crowd.workers) / votes
    cells = crowd.task * crowd.classes + crowd.label
    found = np.bincount(cells, weights=skill[crowd.worker], minlength=crowd.tasks * crowd.classes) + 1e-12
    found = found.reshape(crowd.tasks, crowd.classes)
    return np.asarray(found / found.sum(axis=1, keepdims=True))


def dawid_skene(crowd: Crowd) -> Floats:
    """Dawid and Skene (1979) without a prior; ends when the evidence lower bound gains less than 1e-5 an answer."""
    posterior, bound = majority(crowd), -np.inf
    for step in range(_SWEEPS + 1):
        prior = posterior[crowd.sizes > 0].mean(axis=0)
        counts = _counted(crowd, posterior)
        rows = np.maximum(counts, _LEAST)
        given = np.zeros((crowd.workers, crowd.classes), dtype=bool)
        given[crowd.worker, crowd.label] = True
        rows = np.log(rows) - np.log(np.where(given[:, :, None], rows, 0).sum(axis=1, keepdims=True) + 1e-300)
        if step:
            gained = _bound(crowd, posterior, prior, rows) / crowd.votes
            if gained - bound < _SETTLED or step == _SWEEPS:
                break
            bound = gained
        posterior = _expected(crowd, rows, np.log(np.maximum(prior, 1e-300)))
    return posterior


def _bound(crowd: Crowd, posterior: Floats, prior: Floats, rows: Floats) -> float:
    of_task = posterior[crowd.task]
    joint = np.sum(of_task * (rows[crowd.worker, crowd.label] + np.log(np.maximum(prior, 1e-300))))
    return float(joint - np.sum(posterior * np.log(np.maximum(posterior, 1e-300))))


@compiled
def _counts(
    starts: NDArray[np.int64],
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    posterior: Floats,
    counts: Floats,
) -> None:
    for t in range(len(starts) - 1):
        for i in range(starts[t], starts[t + 1]):
            for g in range(posterior.shape[1]):
                counts[worker[i], label[i], g] += posterior[t, g]


@compiled
def _expect(
    starts: NDArray[np.int64],
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    rows: Floats,
    prior: Floats,
    posterior: Floats,
) -> None:
    for t in range(len(starts) - 1):
        score = prior.copy()
        for i in range(starts[t], starts[t + 1]):
            for g in range(len(prior)):
                score[g] += rows[worker[i], label[i], g]
        score = np.exp(score - score.max())
        posterior[t] = score / score.sum()


def _counted(crowd: Crowd, posterior: Floats) -> Floats:
    counts = np.zeros((crowd.workers, crowd.classes, posterior.shape[1]))
    _counts(crowd.starts, crowd.worker, crowd.label, posterior, counts)
    return counts


def _expected(crowd: Crowd, rows: Floats, prior: Floats) -> Floats:
    posterior = np.empty((crowd.tasks, len(prior)))
    _expect(crowd.starts, crowd.worker, crowd.label, rows, prior, posterior)
    return posterior


def one_coin(crowd: Crowd) -> Floats:
    """The one-coin member: a Beta prior of eight votes, of which the crowd's mean is learned."""
    off = np.arange(crowd.classes)
    prior, posterior = np.log(_shares(crowd)), majority(crowd)
    total = np.bincount(crowd.worker, minlength=crowd.workers).astype(np.float64)
    for _ in range(_SWEEPS):
        named = posterior[crowd.task, crowd.label]
        correct = np.bincount(crowd.worker, weights=named, minlength=crowd.workers).astype(np.float64)
        skill = _skill(correct, total)
        rows = np.zeros((crowd.workers, crowd.classes, crowd.classes))
        rows[:, off, off] = np.log(skill * (crowd.classes - 1) / (1 - skill))[:, None]
        before, posterior = posterior, _expected(crowd, rows, prior)
        if _moved(before, posterior) < _SETTLED:
            break
    return posterior


def matrices_like_the_crowds(crowd: Crowd) -> Floats:
    """The member whose matrices are drawn to the crowd's by four votes a row."""
    if crowd.workers * crowd.classes**2 > _CELLS:
        return one_coin(crowd)
    posterior = majority(crowd)
    for _ in range(_SWEEPS):
        counts = _counted(crowd, posterior)
        mass = posterior.sum(axis=0)
        prior = np.log((mass + 2 / crowd.classes) / (mass.sum() + 2))
        named = counts.sum(axis=0).T + 1 + crowd.classes * np.eye(crowd.classes)
        base = (named / named.sum(axis=1, keepdims=True)).T
        rows = _table(counts + _STRENGTH * base)
        before, posterior = posterior, _expected(crowd, rows, prior)
        if _moved(before, posterior) < _SETTLED:
            break
    return posterior


def subtypes(crowd: Crowd) -> Floats:
    """The member with three subtypes a class, its matrices drawn to each rater's own one coin."""
    classes, cells = crowd.classes, crowd.classes * _SUBTYPES
    if crowd.workers * classes * cells > _CELLS:
        return one_coin(crowd)
    diagonal = np.repeat(np.eye(classes, dtype=bool), _SUBTYPES, axis=1)
    share = majority(crowd)
    near = np.exp(-0.5 * (share[:, :, None] * _SUBTYPES - np.arange(_SUBTYPES) - 0.5) ** 2)
    held = (near / near.sum(axis=2, keepdims=True) * share[:, :, None]).reshape(crowd.tasks, cells)
    posterior, of_class = share, np.log(_shares(crowd))
    for _ in range(_SWEEPS):
        counts, mass = _counted(crowd, held), held.sum(axis=0).reshape(classes, _SUBTYPES)
        within = _digamma(mass + _CONCENTRATION / _SUBTYPES) - _digamma(mass.sum(1, keepdims=True) + _CONCENTRATION)
        correct, total = np.where(diagonal, counts, 0).sum(axis=(1, 2)), counts.sum(axis=(1, 2))
        skill = _skill(correct, total)[:, None, None]
        base = np.where(diagonal, skill, (1 - skill) / (classes - 1))
        held = _expected(crowd, _table(counts + _STRENGTH * base + 1.0), (of_class[:, None] + within).ravel())
        before, posterior = posterior, held.reshape(crowd.tasks, classes, _SUBTYPES).sum(axis=2)
        if _moved(before, posterior) < _SETTLED:
            break
    return posterior


def _table(dirichlet: Floats) -> Floats:
    return _digamma(dirichlet) - _digamma(dirichlet.sum(axis=1, keepdims=True))


@compiled
def _digammas(values: Floats) -> Floats:
    found = np.empty_like(values)
    for i in range(len(values)):
        found[i] = digamma(values[i])
    return found


def _digamma(values: Floats) -> Floats:
    return np.asarray(_digammas(values.ravel()).reshape(values.shape))


def _skill(correct: Floats, total: Floats) -> Floats:
    votes = _RIGHT + _WRONG
    mean = (correct.sum() + _RIGHT) / (total.sum() + votes)
    return np.asarray((correct + votes * mean) / (total + votes))


def _shares(crowd: Crowd) -> Floats:
    counts = np.bincount(crowd.label, minlength=crowd.classes) + 1.0
    shares = counts / counts.sum()
    shares = shares ** (1 / max(float(np.exp(-np.sum(shares * np.log(shares)))) - 1, 1.0))
    return np.asarray(shares / shares.sum())


def _moved(before: Floats, after: Floats) -> float:
    return float(np.abs(after - before).max(axis=1).mean())


def mixture(found: Mapping[str, Floats]) -> Floats:
    """The mixture of the four members by what they have found, by name."""
    mixed = np.tensordot(_WEIGHTS, np.stack([found[name] for name in MEMBERS]), axes=1)
    scores = np.log(np.maximum(mixed, 1e-6)) / _TEMPERATURE
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


MEMBERS: Mapping[str, Method] = {
    "majority": majority,
    "one coin": one_coin,
    "crowd": matrices_like_the_crowds,
    "subtypes": subtypes,
}
LIST: Mapping[str, Method] = {**MEMBERS, "wawa": wawa, "dawid-skene": dawid_skene}


def posteriors(crowd: Crowd) -> dict[str, Floats]:
    """What each of the list finds, by name, the mixture among them."""
    found = {name: method(crowd) for name, method in LIST.items()}
    return {**found, "mixture": mixture(found)}
