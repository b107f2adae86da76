"""The consensus of choices: a mixture of four models, none of which is best everywhere.

Vote shares hold where raters are alike or err together, the one coin where answers are few, the crowd's hierarchical
confusion matrices where classes are confused in their own ways, and subtypes where some tasks are hard for everybody.
The mean of their posteriors is right more often than the choice of any one by likelihood, and its spread says how
sure to be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models import confusion, one_coin
from services.scoring.aggregation.models.calibration import assumed, learned
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Crowd, Floats, tally


def members(crowd: Crowd, config: Configuration = DEFAULT) -> list[Floats]:
    """The posterior of each task by each model in the order of `Configuration.weights`, each (tasks, classes)."""
    if crowd.classes < 2 or crowd.votes == 0:
        return [vote_shares(tally(crowd))] * len(config.weights)  # there is nothing to be told apart, or nobody to
    known = np.full(crowd.tasks, -1, dtype=np.int32)
    coin = one_coin.fit(crowd, known, config).posterior
    matrices = [
        confusion.fit(crowd, known, member, config).posterior
        if config.holds(member, crowd.workers, crowd.classes)
        else coin
        for member in config.members
    ]
    return [vote_shares(tally(crowd)), *(posterior.astype(np.float64) for posterior in (coin, *matrices))]


def vote_shares(votes: Floats) -> Floats:
    """The share of each label in each task's votes; all alike where there are none."""
    return np.asarray((votes + 1e-9) / (votes + 1e-9).sum(axis=1, keepdims=True))


def consensus(crowd: Crowd, gold: NDArray[np.int32] | None = None, config: Configuration = DEFAULT) -> Floats:
    """The calibrated posterior of each task, shape (tasks, classes). `gold` is the class of a task known, else -1."""
    return calibrated(np.stack(members(crowd, config)), gold, config)


def calibrated(found: Floats, gold: NDArray[np.int32] | None, config: Configuration) -> Floats:
    """The posterior from those of the members, shape (members, tasks, classes).

    Gold teaches the calibration, what models are worth and how classes are mistaken for each other by all; the models
    themselves are fitted without it, as else their posteriors of gold tasks would say nothing. A gold task is certain.
    """
    if gold is None:
        return assumed(config, found.shape[2])(found)
    known = np.flatnonzero(gold >= 0)
    truth = gold[known].astype(np.int64)
    posterior = learned(found[:, known], truth, config)(found)
    posterior[known] = 0.0
    posterior[known, truth] = 1.0
    return posterior
