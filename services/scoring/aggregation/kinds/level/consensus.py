"""Ordered levels, as of a rubric: the level to tell, from the posterior of the mixture.

The mixture's confusion matrices learn by themselves that neighbouring levels are confused; the order counts where the
posterior becomes one level: the median makes the expected distance least, the mean the expected squared one.
"""

from __future__ import annotations

import numpy as np

from services.scoring.aggregation.models.crowd import Floats


def median_level(posterior: Floats, levels: Floats) -> Floats:
    """The median level of each task; `levels` are the values of the classes, rising."""
    return np.asarray(levels[np.argmax(np.cumsum(posterior, axis=1) >= 0.5 - 1e-9, axis=1)])


def mean_level(posterior: Floats, levels: Floats) -> Floats:
    """The expected level of each task."""
    return np.asarray(posterior @ levels)


def interval(posterior: Floats, levels: Floats, within: float = 0.9) -> tuple[Floats, Floats]:
    """The levels between which so much of the posterior lies: the quantiles at both ends."""
    below, reached = (1 - within) / 2, np.cumsum(posterior, axis=1)
    return (
        np.asarray(levels[np.argmax(reached >= below, axis=1)]),
        np.asarray(levels[np.argmax(reached >= 1 - below - 1e-9, axis=1)]),
    )
