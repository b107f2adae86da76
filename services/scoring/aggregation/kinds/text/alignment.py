"""Alignment of two sequences of words by the fewest insertions, deletions and substitutions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models.sweeps import compiled

Words = NDArray[np.int32]


@compiled
def edits(one: Words, other: Words) -> int:
    """The Levenshtein distance of two sequences of words, by number."""
    row = np.arange(len(other) + 1)
    for i in range(len(one)):
        diagonal, row[0] = row[0], i + 1
        for j in range(len(other)):
            cost = diagonal + (one[i] != other[j])
            diagonal = row[j + 1]
            row[j + 1] = min(cost, min(row[j], row[j + 1]) + 1)
    return int(row[len(other)])


@compiled
def aligned(backbone: Words, other: Words) -> NDArray[np.int32]:
    """Where each word of the other lies: at `2 i + 1` beside word i of the backbone, at `2 i` in the gap before.

    A substitution is preferred to an insertion with a deletion where both cost the same.
    """
    n, m = len(backbone), len(other)
    cost = np.zeros((n + 1, m + 1), dtype=np.int32)
    cost[:, 0] = np.arange(n + 1)
    cost[0] = np.arange(m + 1)
    for i in range(n):
        for j in range(m):
            beside = cost[i, j] + (backbone[i] != other[j])
            cost[i + 1, j + 1] = min(beside, min(cost[i, j + 1], cost[i + 1, j]) + 1)
    places = np.empty(m, dtype=np.int32)
    i, j = n, m
    while j > 0:
        if i > 0 and cost[i, j] == cost[i - 1, j - 1] + (backbone[i - 1] != other[j - 1]):
            i, j = i - 1, j - 1
            places[j] = 2 * i + 1
        elif i > 0 and cost[i, j] == cost[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
            places[j] = 2 * i
    return places
