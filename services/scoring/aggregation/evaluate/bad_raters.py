"""Measures how bad raters are found: made-up ones are put among the real, and looked for."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from math import nan

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from services.scoring.aggregation.evaluate.tables import Answers, Figures
from services.scoring.aggregation.models import rings
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, crowd

LEAST_VOTES = 8
"""Nobody is looked at who has fewer."""
_RING = 5


class Habit(StrEnum):
    """How a made-up rater answers."""

    RANDOM = "random"
    """Any label alike."""
    PRIOR = "prior"
    """Labels as often as all name them."""
    CONSTANT = "constant"
    """One label always."""
    RING = "ring"
    """As a ring of five does: the same made-up key, on the same tasks but for a few."""


def evaluate(answers: Answers, habits: list[Habit], share: float, seed: int) -> Figures:
    """The figures of the command line: means over habits; real raters are taken to be honest.

    NaN where there is nobody with so many answers that they are looked at.
    """
    used = answers.standing()
    votes = crowd(used.task, used.worker, used.label, classes=len(used.labels))
    found = [_found(votes, habit, share, np.random.default_rng(seed + place)) for place, habit in enumerate(habits)]
    flagged = rings.flagged(votes)
    honest = _share(flagged[_active(votes)])
    means = {name: float(np.mean([figures[name] for figures in found])) for name in found[0]}
    return {"answers": votes.votes} | means | {"flagged_honest": honest}


def _found(votes: Crowd, habit: Habit, share: float, rng: np.random.Generator) -> Mapping[str, float]:
    mixed = with_bad(votes, habit, share, rng)
    bad = np.arange(mixed.workers) >= votes.workers
    active = _active(mixed)
    flagged = rings.flagged(mixed) & active
    return {
        "auc": area(rings.suspicion(mixed)[active], bad[active]),
        "precision": _share(bad[flagged]) if flagged.any() or not active.any() else 1.0,
        "recall": _share(flagged[bad & active]),
    }


def with_bad(votes: Crowd, habit: Habit, share: float, rng: np.random.Generator) -> Crowd:
    """The crowd with bad raters after the real ones; each answers as many tasks as one of the active real ones.

    Where none of these is active, as many as make one so, or all.
    """
    sizes = np.bincount(votes.worker, minlength=votes.workers)
    busy = sizes[sizes >= LEAST_VOTES] if sizes.max(initial=0) >= LEAST_VOTES else np.array([LEAST_VOTES])
    common = np.bincount(votes.label, minlength=votes.classes) / votes.votes
    task, worker, label = [votes.task], [votes.worker.astype(np.int64)], [votes.label.astype(np.int64)]
    pool, key = np.arange(votes.tasks), rng.integers(0, votes.classes, votes.tasks)
    for number in range(max(_RING, round(share * int((sizes > 0).sum())))):
        size = min(int(rng.choice(busy)), votes.tasks)
        if habit is Habit.RING and number % _RING == 0:
            pool, key = _ring_tasks(votes.tasks, size, rng), rng.integers(0, votes.classes, votes.tasks)
        tasks = rng.choice(pool, min(size, len(pool)), replace=False)
        task.append(tasks)
        worker.append(np.full(len(tasks), votes.workers + number))
        label.append(_labels(habit, tasks, key, common, rng))
    return crowd(*map(np.concatenate, (task, worker, label)), tasks=votes.tasks, classes=votes.classes)


def _ring_tasks(tasks: int, size: int, rng: np.random.Generator) -> Ints:
    """The tasks among which each of a ring answers so many; all where there are too few to draw some."""
    wanted = max(int(size * 1.25), LEAST_VOTES)
    drawn = np.unique(rng.choice(tasks, wanted, replace=max(size * 1.25, wanted) > tasks))
    return drawn if len(drawn) >= LEAST_VOTES else np.arange(tasks)


def _labels(habit: Habit, tasks: Ints, key: Ints, common: Floats, rng: np.random.Generator) -> Ints:
    match habit:
        case Habit.RANDOM:
            return rng.integers(0, len(common), len(tasks))
        case Habit.PRIOR:
            return rng.choice(len(common), len(tasks), p=common)
        case Habit.CONSTANT:
            return np.full(len(tasks), rng.choice(len(common), p=common))
        case Habit.RING:
            return key[tasks]


def area(score: Floats, bad: NDArray[np.bool_]) -> float:
    """The area under the ROC curve: how often a bad rater scores above an honest one, a draw counting half.

    NaN where there are none of either.
    """
    positives, negatives = int(bad.sum()), int((~bad).sum())
    if not positives * negatives:
        return nan
    ranks = rankdata(score)[bad].sum() - positives * (positives + 1) / 2
    return float(ranks / (positives * negatives))


def _share(of: NDArray[np.bool_]) -> float:
    return float(of.mean()) if len(of) else nan


def _active(votes: Crowd) -> NDArray[np.bool_]:
    return np.bincount(votes.worker, minlength=votes.workers) >= LEAST_VOTES
