"""When to stop asking: what one more answer to a task is worth, and to which tasks it is not worth its price.

The worth of n more answers is how much more probably the consensus is right after them. With a and b the two most
probable classes, m the log odds between them, and an answer's evidence between them of mean mu and variance s^2 (by the
crowd's confusion matrix), the leader changes if the evidence of n answers outweighs m; in the normal approximation

    worth(n) = P(b) Phi((n mu_b - m) / (s_b sqrt(n))) - P(a) Phi(-(n mu_a + m) / (s_a sqrt(n))).

The best worth per answer within what the budget leaves is held against the price of an answer. Source: the knowledge
gradient for ranking and selection (Frazier, Powell and Dayanik 2008), over more than one step as one alone is worth
nothing where it cannot change the leader.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from services.scoring.aggregation.crowd import Crowd, Floats, Ints

PRICE = 0.0002
"""What an answer must add to the probability of a right consensus to be asked for: that of 5,000 answers a right task
more. Projects with prices of their own set price / worth of a right consensus instead."""


def confusion_of_all(crowd: Crowd, posterior: Floats) -> Floats:
    """How often the crowd names each label for each class, one pseudo-vote each, a class a row."""
    rows = np.ones((crowd.classes, crowd.classes))
    for k in range(crowd.classes):
        rows[k] += np.bincount(crowd.label, weights=posterior[crowd.task, k], minlength=crowd.classes)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def worth(posterior: Floats, rows: Floats, remaining: Ints, longest: int = 20) -> Floats:
    """The greatest worth per answer of up to `remaining` more answers to each task, in probability of being right."""
    order = np.argsort(-posterior, axis=1)
    tasks, a, b = np.arange(len(posterior)), order[:, 0], order[:, 1]
    first, second = posterior[tasks, a], posterior[tasks, b]
    margin = np.log(np.maximum(first, 1e-12) / np.maximum(second, 1e-12))
    logs = np.log(rows)
    ratio = logs[:, None, :] - logs[None, :, :]
    mean = np.einsum("al,abl->ab", rows, ratio)
    variance = np.einsum("al,abl->ab", rows, ratio**2) - mean**2
    best = np.zeros(len(posterior))
    for n in range(1, min(longest, int(remaining.max(initial=0))) + 1):
        lost = ndtr(-(margin + n * mean[a, b]) / np.sqrt(n * variance[a, b] + 1e-9))
        won = ndtr((n * mean[b, a] - margin) / np.sqrt(n * variance[b, a] + 1e-9))
        best = np.maximum(best, np.where(n <= remaining, (second * won - first * lost) / n, 0.0))
    return best
