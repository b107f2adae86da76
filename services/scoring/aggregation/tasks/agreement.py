"""The agreement panel: how far raters agree, beyond chance, with bootstrap intervals over tasks.

- Krippendorff's alpha (2011, "Computing Krippendorff's alpha-reliability"): 1 - observed / expected disagreement, from
  the coincidences of pairs of votes within tasks; nominal, ordinal or interval distances of labels.
- Gwet's AC1 and AC2 (2008; Handbook of Inter-Rater Reliability, 2014): (p_a - p_e) / (1 - p_e) with chance from the
  labels' frequencies; AC2 weighs partial agreement of ordered labels quadratically.
- Percent agreement: the share of pairs of votes within tasks that agree, tasks alike.

Each is made of sums over tasks, so tasks whose votes are alike are counted once, and a bootstrap sample is how often
each kind of task was drawn: its cost depends on the kinds, not on the votes.

None of them gates payment by itself: a set with an alpha of .15 may still reach a consensus that is right in 96 of 100.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from functools import partial
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.models.crowd import Floats, Ints

SAMPLES = 200
"""Bootstrap samples of a figure."""
LEAST_TASKS = 5
"""So many tasks with two votes it takes to tell an interval: four make 35 different samples, and one in forty is to lie
beyond each bound."""
_ALIKE = 1e-9
"""Samples that differ by less are the same but for rounding."""
_CELLS = 1 << 22
"""Samples times kinds of task that are held at once, which bounds what a project of many kinds takes."""
_BLOCK = 4096
"""Kinds of task that are multiplied out at once."""


class Distance(StrEnum):
    """How far labels are from each other."""

    NOMINAL = "nominal"
    ORDINAL = "ordinal"
    INTERVAL = "interval"


class Interval(NamedTuple):
    """A figure with the bounds between which nineteen of twenty bootstrap samples of the tasks lie; NaN for none.

    There are none where too few tasks have two votes, or all samples are alike, as where everybody always agrees: then
    what was drawn says nothing of how far others would differ.
    """

    value: float
    low: float
    high: float


class Tallies(NamedTuple):
    """The votes of tasks for each label, shape (kinds, labels), and how many tasks there are of each kind."""

    votes: Floats
    times: Ints


class Sums(NamedTuple):
    """What figures are made of, one row a sample of tasks."""

    coincidences: Floats
    """Pairs of votes within a task by their labels, each vote counted once in all: Krippendorff's."""
    pairs: Floats
    """The same, each task with two votes or more counted once in all."""
    shares: Floats
    """The shares of labels in each task's votes, in all."""
    paired: Floats
    """How many tasks have two votes or more."""
    tasks: Floats
    """How many tasks have a vote."""


Figure = Callable[[Sums], Floats]


def sums(votes: Floats, times: Floats) -> Sums:
    """The sums of samples that have each kind of task so many times, shape (samples, kinds)."""
    labels = votes.shape[1]
    whole = np.zeros((len(times), 2 * labels**2 + labels + 2))
    for begin in range(0, len(votes), _BLOCK):
        part = slice(begin, begin + _BLOCK)
        whole += times[:, part] @ _of_one_task(votes[part])
    coincidences, pairs, shares, paired, tasks = np.split(
        whole, np.cumsum([labels**2, labels**2, labels, 1]).tolist(), axis=1
    )
    square = (len(times), labels, labels)
    return Sums(coincidences.reshape(square), pairs.reshape(square), shares, paired[:, 0], tasks[:, 0])


def _of_one_task(votes: Floats) -> Floats:
    """What a task of each kind adds to the sums, in their order, shape (kinds, numbers)."""
    kinds, labels = votes.shape
    sizes = votes.sum(axis=1, keepdims=True)
    # n_k n_l pairs, without those of a vote with itself.
    pairs = (votes[:, :, None] * votes[:, None, :] - votes[:, :, None] * np.eye(labels)).reshape(kinds, -1)
    per_vote = pairs / np.maximum(sizes - 1, 1)
    return np.hstack([per_vote, per_vote / np.maximum(sizes, 1), votes / np.maximum(sizes, 1), sizes >= 2, sizes > 0])


def alpha(some: Sums, distance: Distance = Distance.NOMINAL, levels: Floats | None = None) -> Floats:
    """Krippendorff's alpha; `levels` are the labels' values, for interval distances.

    NaN where no task has two votes; 1 where all votes of all tasks are the same.
    """
    given = some.coincidences.sum(axis=2)
    total = given.sum(axis=1)
    far = _distances(distance, given, levels)
    observed = np.sum(some.coincidences * far, axis=(1, 2))
    expected = np.sum(given[:, :, None] * given[:, None, :] * far, axis=(1, 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        beyond = 1 - observed * (total - 1) / expected
    return np.where(total == 0, np.nan, np.where(expected == 0, 1.0, beyond))


def _distances(distance: Distance, given: Floats, levels: Floats | None) -> Floats:
    """The squared distances of labels; the ordinal one counts the votes between two, half of each at the ends."""
    if distance is Distance.NOMINAL:
        return 1 - np.eye(given.shape[1])
    places = np.cumsum(given, axis=1) - given / 2 if distance is Distance.ORDINAL else levels
    values = np.arange(given.shape[1], dtype=np.float64) if places is None else places
    return np.asarray((values[..., :, None] - values[..., None, :]) ** 2)


def gwet(some: Sums, *, ordered: bool = False) -> Floats:
    """AC1, or AC2 with quadratic weights for ordered labels. NaN where no task has two votes."""
    labels = some.shares.shape[1]
    steps = np.arange(labels)
    near = 1 - (steps[:, None] - steps[None, :]) ** 2 / max(labels - 1, 1) ** 2 if ordered else np.eye(labels)
    with np.errstate(divide="ignore", invalid="ignore"):
        observed = np.sum(some.pairs * near, axis=(1, 2)) / some.paired
        share = some.shares / some.tasks[:, None]
        chance = near.sum() / (labels * max(labels - 1, 1)) * np.sum(share * (1 - share), axis=1)
        return np.where(chance == 1, 1.0, (observed - chance) / (1 - chance))


def percent(some: Sums) -> Floats:
    """The share of pairs of votes within a task that agree, the mean over tasks. NaN where no task has two votes."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.trace(some.pairs, axis1=1, axis2=2) / some.paired)


def value(votes: Floats, figure: Figure) -> float:
    """A figure of the votes of each task for each label, shape (tasks, labels)."""
    return float(figure(sums(votes, np.ones((1, len(votes)))))[0])


def bootstrap(tallies: Tallies, figures: Mapping[str, Figure], labels: int | None = None) -> dict[str, Interval]:
    """Figures of the first `labels` labels, all if not stated, with intervals by resampling tasks (Efron 1979).

    All figures see the same samples, and the same tasks always give the same ones.
    """
    votes, times = tallies.votes[:, :labels], tallies.times
    drawn = [_figures(votes, times[None, :].astype(np.float64), figures)]
    if times[votes.sum(axis=1) >= 2].sum() >= LEAST_TASKS:
        drawn += [_figures(votes, sample, figures) for sample in _samples(times)]
    found = np.concatenate(drawn, axis=1)
    return {name: _interval(row) for name, row in zip(figures, found, strict=True)}


def _samples(times: Ints) -> Iterator[Floats]:
    """How often each kind of task is drawn, as many tasks as there are: some samples at once."""
    rng, tasks, step = np.random.default_rng(0), int(times.sum()), max(_CELLS // max(len(times), 1), 1)
    for begin in range(0, SAMPLES, step):
        yield rng.multinomial(tasks, times / tasks, min(step, SAMPLES - begin)).astype(np.float64)


def _figures(votes: Floats, times: Floats, figures: Mapping[str, Figure]) -> Floats:
    """Each figure of each sample, shape (figures, samples)."""
    some = sums(votes, times)
    return np.stack([figure(some) for figure in figures.values()])


def _interval(found: Floats) -> Interval:
    """The first is the figure itself, the others those of the samples."""
    drawn = found[1:][~np.isnan(found[1:])]
    low, high = np.quantile(drawn, [0.025, 0.975]) if len(drawn) else (np.nan, np.nan)
    if not high - low > _ALIKE:
        low = high = np.nan
    return Interval(float(found[0]), float(low), float(high))


def panel(tallies: Tallies, levels: Floats | None = None) -> dict[str, Interval]:
    """All figures of a question; those of ordered labels where `levels` says what the first labels are worth.

    Labels beyond the levels, like "not applicable", are left out of the ordered figures.
    """
    found = bootstrap(tallies, {"alpha_nominal": alpha, "ac1": gwet, "percent": percent})
    if levels is None:
        return found
    ordered: dict[str, Figure] = {
        "alpha_ordinal": partial(alpha, distance=Distance.ORDINAL),
        "alpha_interval": partial(alpha, distance=Distance.INTERVAL, levels=levels),
        "ac2": partial(gwet, ordered=True),
    }
    return found | bootstrap(tallies, ordered, len(levels))


def distinct(votes: Floats) -> Tallies:
    """The votes of tasks for each label, shape (tasks, labels), with tasks of the same votes as one kind."""
    return Tallies(*np.unique(votes, axis=0, return_counts=True))
