"""Confidence that means something: the power to which posteriors are taken, and what gold says about it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.scoring.aggregation.models.configuration import Configuration
from services.scoring.aggregation.models.crowd import Floats, Ints

_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Calibration:
    """How the posteriors of the mixture's members become one: weights, a temperature, and a bias of each class."""

    weights: Floats
    temperature: float
    bias: Floats

    def __call__(self, members: Floats) -> Floats:
        """The calibrated posterior from those of the members, shape (members, tasks, classes)."""
        mixed = mix(members, self.weights)
        return softmax(np.log(np.maximum(mixed, _LEAST)) / self.temperature + self.bias)


def mix(members: Floats, weights: Floats) -> Floats:
    """The weighted mean of what the members say, shape (members, tasks, classes), by task and class."""
    mean = (weights / weights.sum()) @ members.reshape(len(members), -1)
    return np.asarray(mean.reshape(members.shape[1:]))


def assumed(config: Configuration, classes: int) -> Calibration:
    """The calibration without gold."""
    return Calibration(np.array(config.weights), config.temperature, np.zeros(classes))


def learned(members: Floats, truth: Ints, config: Configuration) -> Calibration:
    """The calibration by gold: members' posteriors of tasks, which were found without their gold, and their truths.

    The maximum a posteriori of temperature and biases (Guo et al. 2017: vector scaling with one slope) and of the
    members' weights; Gaussian priors around what is assumed without gold, so that a few gold tasks move little. The
    temperature changes no decision; biases and weights do, so they must bring `gain` more than the temperature alone,
    and more of the gold right.
    """
    from scipy.optimize import minimize  # slow to load, and services, which have no gold by task, need it not

    classes, begin = members.shape[2], assumed(config, members.shape[2])
    if len(truth) == 0:
        return begin
    rest = np.zeros(classes + len(begin.weights))

    def made(x: Floats) -> Calibration:
        temperature = float(begin.temperature * np.exp(x[0]))
        return Calibration(begin.weights * np.exp(x[1 + classes :]), temperature, x[1 : 1 + classes])

    def loss(x: Floats) -> float:
        posterior = made(x)(members)
        doubt = config.trust_temperature * x[0] ** 2 + config.trust_bias * np.sum(x[1 : 1 + classes] ** 2)
        doubt += config.trust_weights * np.sum(x[1 + classes :] ** 2)
        return float(doubt - np.sum(np.log(posterior[np.arange(len(truth)), truth])))

    def loss_of_temperature(x: Floats) -> float:
        return loss(np.concatenate((x, rest)))

    whole = minimize(loss, np.zeros(1 + len(rest)), method="L-BFGS-B")
    heat = minimize(loss_of_temperature, np.zeros(1), method="L-BFGS-B")
    moved, still = made(whole.x), made(np.concatenate((heat.x, rest)))
    worth = heat.fun - whole.fun > config.gain and _right(moved(members), truth) > _right(still(members), truth)
    return moved if worth else still


def _right(posterior: Floats, truth: Ints) -> int:
    return int(np.sum(posterior.argmax(axis=1) == truth))


def softmax(scores: Floats) -> Floats:
    """Probabilities from log odds, row by row."""
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
