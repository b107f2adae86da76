"""Confidence that means something: the power to which posteriors are taken, and what gold says about it."""

from __future__ import annotations

import numpy as np

from services.scoring.aggregation.crowd import Floats

_LEAST = 1e-12


def temper(posterior: Floats, temperature: float) -> Floats:
    """The posterior to the power 1 / temperature, summing to 1 again (Guo et al. 2017): above 1 it is less sure."""
    logs = np.log(np.maximum(posterior, _LEAST)) / temperature
    odds = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))
