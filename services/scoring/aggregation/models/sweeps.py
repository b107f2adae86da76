"""The inner loops of the choice models: one pass over all votes is one step of expectation and maximisation.

Each sweep takes every task's posterior from the raters' tables (E-step) and adds it to the raters' counts at once
(M-step), so that nothing of the size of the answers is kept. Compiled by Numba on first use and cached on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, log
from typing import TypeVar, cast

import numpy as np
from numba import njit as _njit
from numpy.typing import NDArray

from services.scoring.aggregation.models.crowd import Floats, Ints

F = TypeVar("F", bound=Callable[..., object])


def compiled(function: F) -> F:
    """Numba's compiler with the cache on; keeps the type of what it compiles."""
    return cast(F, _njit(cache=True, nogil=True)(function))


def inlined(function: F) -> F:
    """The same for what is compiled into its callers: a call for each task would cost as much as its sums."""
    return cast(F, _njit(cache=True, nogil=True, inline="always")(function))


@compiled
def digamma(x: float) -> float:
    """The logarithmic derivative of the gamma function for x > 0 (Abramowitz and Stegun 6.3.5 and 6.3.18)."""
    shift = 0.0
    while x < 6.0:
        shift -= 1.0 / x
        x += 1.0
    inverse = 1.0 / (x * x)
    series = inverse * (1.0 / 12 - inverse * (1.0 / 120 - inverse * (1.0 / 252 - inverse / 240)))
    return shift + log(x) - 0.5 / x - series


@inlined
def softmax(scores: NDArray[np.float32]) -> None:
    """Turns log odds into probabilities, in place."""
    top = scores[0]
    for g in range(1, len(scores)):
        top = max(top, scores[g])
    total = np.float32(0.0)
    for g in range(len(scores)):
        scores[g] = exp(scores[g] - top)
        total += scores[g]
    share = np.float32(1.0) / total
    for g in range(len(scores)):
        scores[g] *= share


@inlined
def expect(
    begin: int,
    end: int,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    table: NDArray[np.float32],
    prior: NDArray[np.float32],
    gold: int,
    groups: int,
    scores: NDArray[np.float32],
) -> None:
    """The E-step of one task, by its votes from `begin` to `end`: the posterior of each subtype, into `scores`."""
    scores[:] = prior
    for i in range(begin, end):
        j, named = worker[i], label[i]
        for g in range(len(prior)):
            scores[g] += table[j, named, g]
    if gold >= 0:
        for g in range(len(prior)):
            if g // groups != gold:
                scores[g] = -1e30
    softmax(scores)


@compiled
def sweep(
    starts: Ints,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    table: NDArray[np.float32],
    prior: NDArray[np.float32],
    gold: NDArray[np.int32],
    groups: int,
    counts: Floats,
    mass: Floats,
    posterior: NDArray[np.float32],
) -> float:
    """One step for models with `groups` subtypes a class: adds to `counts` and `mass`, rewrites `posterior`.

    `table[j, l, g]` is the expected log probability that rater j says l of a task of subtype g, `prior[g]` that of the
    subtype; `gold[t]` is the known class of a task or -1. Returns how far the posterior moved, summed over tasks.
    """
    moved = 0.0
    cells = len(prior)
    scores = np.empty(cells, dtype=np.float32)
    for t in range(len(starts) - 1):
        expect(starts[t], starts[t + 1], worker, label, table, prior, gold[t], groups, scores)
        for i in range(starts[t], starts[t + 1]):
            j, named = worker[i], label[i]
            for g in range(cells):
                counts[j, named, g] += scores[g]
        largest = 0.0
        for k in range(cells // groups):
            total = np.float32(0.0)
            for m in range(groups):
                total += scores[k * groups + m]
                mass[k * groups + m] += scores[k * groups + m]
            largest = max(largest, abs(total - posterior[t, k]))
            posterior[t, k] = total
        moved += largest
    return moved


@inlined
def expect_one_coin(
    begin: int,
    end: int,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    weight: NDArray[np.float32],
    prior: NDArray[np.float32],
    gold: int,
    scores: NDArray[np.float32],
) -> None:
    """The E-step of one task by the one-coin model: `weight[j]` is the evidence of rater j for the label named."""
    scores[:] = prior
    for i in range(begin, end):
        scores[label[i]] += weight[worker[i]]
    if gold >= 0:
        scores[:] = -1e30
        scores[gold] = 0.0
    softmax(scores)


@compiled
def sweep_one_coin(
    starts: Ints,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    weight: NDArray[np.float32],
    prior: NDArray[np.float32],
    gold: NDArray[np.int32],
    correct: Floats,
    posterior: NDArray[np.float32],
) -> float:
    """One step of the one-coin model.

    Adds the expected number of right votes to `correct`, rewrites `posterior`; returns how far it moved in all.
    """
    moved = 0.0
    classes = len(prior)
    scores = np.empty(classes, dtype=np.float32)
    for t in range(len(starts) - 1):
        expect_one_coin(starts[t], starts[t + 1], worker, label, weight, prior, gold[t], scores)
        for i in range(starts[t], starts[t + 1]):
            correct[worker[i]] += scores[label[i]]
        largest = 0.0
        for k in range(classes):
            largest = max(largest, abs(scores[k] - posterior[t, k]))
            posterior[t, k] = scores[k]
        moved += largest
    return moved


@compiled
def revise(
    item: Ints,
    starts: Ints,
    counted: Ints,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    table: NDArray[np.float32],
    prior: NDArray[np.float32],
    groups: int,
    counts: Floats,
    mass: Floats,
    held: NDArray[np.float32],
) -> None:
    """One incremental step for some items (Neal and Hinton 1998): what they held in the counts gives way.

    The votes of `item[n]` lie from `starts[n]` to `starts[n + 1]`; the first `counted[n]` of them are in the counts
    with the weights `held[item[n]]`, which are all 0 for an item that was never scored.
    """
    cells = len(prior)
    scores = np.empty(cells, dtype=np.float32)
    for n in range(len(item)):
        t = item[n]
        expect(starts[n], starts[n + 1], worker, label, table, prior, -1, groups, scores)
        for i in range(starts[n], starts[n + 1]):
            into = counts[worker[i], label[i]]
            known = i < starts[n] + counted[n]
            for g in range(cells):
                into[g] += scores[g] - (held[t, g] if known else np.float32(0.0))
        for g in range(cells):
            mass[g] += scores[g] - held[t, g]
            held[t, g] = scores[g]


@compiled
def revise_one_coin(
    item: Ints,
    starts: Ints,
    counted: Ints,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    weight: NDArray[np.float32],
    prior: NDArray[np.float32],
    correct: Floats,
    held: NDArray[np.float32],
) -> None:
    """The incremental step of the one-coin model; as `revise`."""
    scores = np.empty(len(prior), dtype=np.float32)
    for n in range(len(item)):
        t = item[n]
        expect_one_coin(starts[n], starts[n + 1], worker, label, weight, prior, -1, scores)
        for i in range(starts[n], starts[n + 1]):
            old = held[t, label[i]] if i < starts[n] + counted[n] else np.float32(0.0)
            correct[worker[i]] += scores[label[i]] - old
        held[t] = scores
