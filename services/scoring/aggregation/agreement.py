"""The agreement panel: how far raters agree, beyond chance, with bootstrap intervals over tasks.

- Krippendorff's alpha (2011, "Computing Krippendorff's alpha-reliability"): 1 - observed / expected disagreement, from
  the coincidences of pairs of votes within tasks; nominal, ordinal or interval distances of labels.
- Gwet's AC1 and AC2 (2008; Handbook of Inter-Rater Reliability, 2014): (p_a - p_e) / (1 - p_e) with chance from the
  labels' frequencies; AC2 weighs partial agreement of ordered labels quadratically.
- Percent agreement: the share of pairs of votes within tasks that agree, tasks alike.

None of them gates payment by itself: a set with an alpha of .15 may still reach a consensus that is right in 96 of 100.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.crowd import Crowd, Floats, tally


class Distance(StrEnum):
    """How far labels are from each other."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


class Interval(NamedTuple):
    """A figure with the bounds between which nineteen of twenty bootstrap samples of the tasks lie."""

    value: float
    low: float
    high: float


def krippendorff_alpha(votes: Floats, distance: Distance = Distance.NOMINAL, levels: Floats | None = None) -> float:
    """Alpha from the votes of each task for each label, shape (tasks, labels); `levels` are the labels' values.

    NaN where no task has two votes; 1 where all votes of all tasks are the same.
    """
    paired = votes[votes.sum(axis=1) >= 2]
    sizes = paired.sum(axis=1)
    coincidences = (paired / (sizes - 1)[:, None]).T @ paired - np.diag((paired / (sizes - 1)[:, None]).sum(axis=0))
    given = coincidences.sum(axis=1)
    total = given.sum()
    if total == 0:
        return float("nan")
    far = _distances(distance, given, levels)
    expected = float(given @ far @ given - np.diag(far) @ given) / (total - 1)
    return 1.0 if expected == 0 else float(1 - np.sum(coincidences * far) / expected)


def _distances(distance: Distance, given: Floats, levels: Floats | None) -> Floats:
    """The squared distances of labels; the ordinal one counts the votes between two, half of each at the ends."""
    if distance is Distance.NOMINAL:
        return 1 - np.eye(len(given))
    places = np.cumsum(given) - given / 2 if distance is Distance.ORDINAL else levels
    values = np.arange(len(given), dtype=np.float64) if places is None else places
    return np.asarray((values[:, None] - values[None, :]) ** 2)


def gwet(votes: Floats, *, ordered: bool = False) -> float:
    """AC1, or AC2 with quadratic weights for ordered labels. NaN where no task has two votes."""
    labels = votes.shape[1]
    steps = np.arange(labels)
    near = 1 - (steps[:, None] - steps[None, :]) ** 2 / max(labels - 1, 1) ** 2 if ordered else np.eye(labels)
    sizes = votes.sum(axis=1)
    paired, counts = votes[sizes >= 2], sizes[sizes >= 2][:, None]
    if not len(paired):
        return float("nan")
    observed = np.mean(np.sum(paired * (paired @ near - 1), axis=1) / (counts * (counts - 1)).ravel())
    share = np.mean(votes[sizes > 0] / sizes[sizes > 0][:, None], axis=0)
    chance = near.sum() / (labels * max(labels - 1, 1)) * np.sum(share * (1 - share))
    return 1.0 if chance == 1 else float((observed - chance) / (1 - chance))


def percent(votes: Floats) -> float:
    """The share of pairs of votes within a task that agree, the mean over tasks. NaN where no task has two votes."""
    sizes = votes.sum(axis=1)
    paired, counts = votes[sizes >= 2], sizes[sizes >= 2]
    if not len(paired):
        return float("nan")
    return float(np.mean(np.sum(paired * (paired - 1), axis=1) / (counts * (counts - 1))))


def bootstrap(votes: Floats, figure: Callable[[Floats], float], *, samples: int = 200, seed: int = 0) -> Interval:
    """The figure with its interval by resampling tasks (Efron 1979)."""
    rng = np.random.default_rng(seed)
    drawn = [figure(votes[rng.integers(0, len(votes), len(votes))]) for _ in range(samples)]
    low, high = np.nanquantile(drawn, [0.025, 0.975]) if not np.all(np.isnan(drawn)) else (np.nan, np.nan)
    return Interval(figure(votes), float(low), float(high))


def panel(crowd: Crowd, levels: Floats | None = None, *, seed: int = 0) -> dict[str, Interval]:
    """All figures of a project or criterion; those of ordered labels where `levels` says what labels are worth."""
    votes = tally(crowd)
    figures: dict[str, Callable[[Floats], float]] = {
        "alpha_nominal": krippendorff_alpha,
        "ac1": gwet,
        "percent": percent,
    }
    if levels is not None:
        figures |= {
            "alpha_ordinal": lambda some: krippendorff_alpha(some, Distance.ORDINAL),
            "alpha_interval": lambda some: krippendorff_alpha(some, Distance.INTERVAL, levels),
            "ac2": lambda some: gwet(some, ordered=True),
        }
    return {name: bootstrap(votes, figure, seed=seed) for name, figure in figures.items()}
