"""What the models of the mixture hold of one question, to be explained."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.live.pool import Matrices, Pool
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.calibration import assumed
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.confusion import class_shares
from services.scoring.aggregation.models.crowd import Floats
from services.scoring.aggregation.models.prior import Prior
from services.scoring.domain.explanation import COIN, SHARE, Model

CROWD, SUBTYPES = "crowd", "subtypes"


class Held(NamedTuple):
    """The models of the mixture, the temperature, and the probability of each label that follows."""

    models: list[Model]
    temperature: float
    probabilities: list[float]


def held(pool: Pool, item: int, given: Floats) -> Held:
    """What a pool holds of an item, of whose votes so many name each label."""
    found = pool.members(np.array([item]), given[None, :])
    calibration, shares = assumed(pool.config, pool.classes), class_shares(pool.given)
    priors = [np.empty(0), shares, *(_prior(pool, model, shares) for model in pool.matrices)]
    models = [
        Model(name, float(weight), prior.tolist(), posterior.tolist())
        for name, weight, prior, posterior in zip(
            (SHARE, COIN, CROWD, SUBTYPES), calibration.weights, priors, found[:, 0], strict=True
        )
    ]
    probabilities = mixture.calibrated(found, None, pool.config)[0].tolist()
    return Held(models, float(calibration.temperature), probabilities)


def assumed_here(prior: tuple[float, float], crowd: tuple[float, float]) -> tuple[float, float]:
    """Votes that a rater is taken to have got right, and not; `crowd` are those of all that are right, and all."""
    right, wrong = Prior(*np.array(prior)[:, None]).here(*crowd, DEFAULT)
    return float(right[0]), float(wrong[0])


def _prior(pool: Pool, model: Matrices, shares: Floats) -> Floats:
    """The probability of each label before any vote, by a model with matrices: that of its subtypes together."""
    odds = np.exp(model.log_prior(shares, pool.config).astype(np.float64)).reshape(pool.classes, -1).sum(axis=1)
    return np.asarray(odds / odds.sum())
