"""What a consensus is measured by. The truth of a label is its number, or -1 for one that nobody can have given."""

from __future__ import annotations

import numpy as np

from services.scoring.aggregation.models.crowd import Floats, Ints

_TIE = 1e-9
_BINS = 10
_FLOOR = 1e-9


def hits(scores: Floats, truth: Ints) -> Floats:
    """How right each task's top label is: 1, 0, or 1 / n where the truth is one of n that are level at the top."""
    level = scores >= scores.max(axis=1, keepdims=True) - _TIE
    right = level[np.arange(len(truth)), np.maximum(truth, 0)] & (truth >= 0)
    return np.asarray(right / level.sum(axis=1))


def calibration_error(posterior: Floats, right: Floats) -> float:
    """The expected calibration error of the top label: the mean of |confidence - accuracy| over ten equal bins."""
    confidence = posterior.max(axis=1)
    bins = np.minimum((confidence * _BINS).astype(int), _BINS - 1)
    gaps = np.bincount(bins, weights=confidence - right, minlength=_BINS)
    return float(np.abs(gaps).sum() / len(right))


def brier(posterior: Floats, truth: Ints) -> float:
    """The Brier score in its form over all classes, from 0 to 2."""
    return float(np.mean(np.sum(posterior**2, axis=1) - 2 * _of_truth(posterior, truth) + 1))


def log_loss(posterior: Floats, truth: Ints) -> float:
    """The mean of -log P(truth), in nats; no probability is taken below 1e-9."""
    return float(-np.mean(np.log(np.maximum(_of_truth(posterior, truth), _FLOOR))))


def errors(found: Floats, wanted: Floats) -> dict[str, float]:
    """The mean absolute error, and the root of the mean squared one."""
    if not len(wanted):
        return {}
    return {"mae": float(np.abs(found - wanted).mean()), "rmse": float(np.sqrt(np.mean((found - wanted) ** 2)))}


def _of_truth(posterior: Floats, truth: Ints) -> Floats:
    return np.where(truth >= 0, posterior[np.arange(len(truth)), np.maximum(truth, 0)], 0.0)
