"""The consensus of choices: a mixture of four models, none of which is best everywhere.

Vote shares hold where raters are alike or err together, the one coin where answers are few, the crowd's hierarchical
confusion matrices where classes are confused in their own ways, and subtypes where some tasks are hard for everybody.
The mean of their posteriors is right more often than the choice of any one by likelihood, and its spread says how
sure to be.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation import confusion, one_coin
from services.scoring.aggregation.calibration import temper
from services.scoring.aggregation.configuration import DEFAULT, Configuration
from services.scoring.aggregation.crowd import Crowd, Floats, tally


def members(crowd: Crowd, gold: NDArray[np.int32] | None = None, config: Configuration = DEFAULT) -> list[Floats]:
    """The posterior of each task by each model in the order of `Configuration.weights`, each (tasks, classes)."""
    known = np.full(crowd.tasks, -1, dtype=np.int32) if gold is None else gold
    votes = tally(crowd)
    shares = (votes + 1e-9) / (votes + 1e-9).sum(axis=1, keepdims=True)
    coin = one_coin.fit(crowd, known, config)
    table = crowd.workers * crowd.classes**2
    matrices = [
        confusion.fit(crowd, known, member, config) if table * member.subtypes <= config.cells else coin
        for member in (config.crowd, config.subtype)
    ]
    return [shares, coin, *matrices]


def mix(posteriors: list[Floats], config: Configuration = DEFAULT) -> Floats:
    """The weighted mean of posteriors."""
    mixed = np.zeros_like(posteriors[0])
    for weight, posterior in zip(config.weights, posteriors, strict=True):
        mixed += weight / sum(config.weights) * posterior
    return mixed


def consensus(crowd: Crowd, gold: NDArray[np.int32] | None = None, config: Configuration = DEFAULT) -> Floats:
    """The calibrated posterior of each task, shape (tasks, classes). `gold` is the class of a task known, else -1."""
    return temper(mix(members(crowd, gold, config), config), config.temperature)
