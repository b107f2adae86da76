"""The one-coin model of choice: one reliability a rater, learned with the answers.

A rater names the right one of K labels with probability q and each wrong one with (1 - q) / (K - 1). Source: Dawid and
Skene (1979) with one parameter a rater, as ZenCrowd (Demartini et al. 2012), with a Beta prior of q. Classes are as
frequent as the labels given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models.configuration import Configuration
from services.scoring.aggregation.models.confusion import answer_shares
from services.scoring.aggregation.models.crowd import Crowd, Floats, tally
from services.scoring.aggregation.models.prior import Prior
from services.scoring.aggregation.models.sweeps import compiled, sweep_one_coin


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learned: the posterior of each task, and how many of each rater's votes are right, and are there."""

    posterior: NDArray[np.float32]
    correct: Floats
    total: Floats


def fit(crowd: Crowd, gold: NDArray[np.int32], config: Configuration, prior: Prior | None = None) -> Fit:
    """Fits the model to all answers at once; `prior` is of the raters, fresh ones if there is none."""
    of_class = np.log(answer_shares(crowd)).astype(np.float32)
    posterior = np.zeros((crowd.tasks, crowd.classes), dtype=np.float32)
    total = np.bincount(crowd.worker, minlength=crowd.workers).astype(np.float64)
    correct = _agreeing(crowd)
    for _ in range(config.sweeps_of(crowd.votes)):
        weight = weights(correct, total, crowd.classes, config, prior)
        correct[:] = 0
        moved = sweep_one_coin(crowd.starts, crowd.worker, crowd.label, weight, of_class, gold, correct, posterior)
        if moved < config.settled * crowd.tasks:
            break
    return Fit(posterior, correct, total)


def weights(
    correct: Floats,
    total: Floats,
    classes: int,
    config: Configuration,
    prior: Prior | None = None,
    crowd: tuple[float, float] | None = None,
) -> NDArray[np.float32]:
    """The evidence of each rater's vote, in nats: log(q (K - 1) / (1 - q)).

    `crowd` is how many votes of all raters are right, and in all, where these are not all raters.
    """
    whole = crowd or (float(correct.sum()), float(total.sum()))
    right, wrong = (prior or Prior.fresh(len(total), config)).here(*whole, config)
    return _evidence(correct, total, right, wrong, classes)


@compiled
def _evidence(correct: Floats, total: Floats, right: Floats, wrong: Floats, classes: int) -> NDArray[np.float32]:
    skill = (correct + right) / (total + right + wrong)
    return np.log(skill * (classes - 1) / (1.0 - skill)).astype(np.float32)


def _agreeing(crowd: Crowd) -> Floats:
    """The sum over each rater's votes of the share of the task's votes that say the same."""
    votes = tally(crowd)
    share = votes[crowd.task, crowd.label] / crowd.sizes[crowd.task]
    return np.bincount(crowd.worker, weights=share, minlength=crowd.workers).astype(np.float64)
