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

from math import erfc, log, sqrt

import numpy as np

from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints
from services.scoring.aggregation.models.sweeps import compiled, inlined

PRICE = 0.0002
"""What an answer must add to the probability of a right consensus to be asked for: that of 5,000 answers a right task
more. Projects with prices of their own set price / worth of a right consensus instead."""


def confusion_of_all(crowd: Crowd, posterior: Floats) -> Floats:
    """How often the crowd names each label for each class, one pseudo-vote each, a class a row."""
    rows = np.ones((crowd.classes, crowd.classes))
    for k in range(crowd.classes):
        rows[k] += np.bincount(crowd.label, weights=posterior[crowd.task, k], minlength=crowd.classes)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


@compiled
def worth(posterior: Floats, rows: Floats, remaining: Ints, longest: int = 20) -> Floats:
    """The greatest worth per answer of up to `remaining` more answers to each task, in probability of being right."""
    mean, variance = _evidence(rows)
    best = np.zeros(len(posterior))
    for t in range(len(posterior)):
        a, b = _two_best(posterior[t])
        first, second = posterior[t, a], posterior[t, b]
        margin = log(max(first, 1e-12) / max(second, 1e-12))
        for n in range(1, min(longest, remaining[t]) + 1):
            lost = _normal(-(margin + n * mean[a, b]) / sqrt(n * variance[a, b] + 1e-9))
            won = _normal((n * mean[b, a] - margin) / sqrt(n * variance[b, a] + 1e-9))
            best[t] = max(best[t], (second * won - first * lost) / n)
    return best


@compiled
def _evidence(rows: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the evidence for a class against another that a label given for it brings, in nats."""
    classes = len(rows)
    mean, variance = np.zeros((classes, classes)), np.zeros((classes, classes))
    for a in range(classes):
        for b in range(classes):
            for label in range(classes):
                ratio = log(rows[a, label] / rows[b, label])
                mean[a, b] += rows[a, label] * ratio
                variance[a, b] += rows[a, label] * ratio**2
            variance[a, b] -= mean[a, b] ** 2
    return mean, variance


@inlined
def _two_best(probabilities: Floats) -> tuple[int, int]:
    """The two most probable classes; of those alike the first."""
    a, b = (0, 1) if probabilities[0] >= probabilities[1] else (1, 0)
    for k in range(2, len(probabilities)):
        if probabilities[k] > probabilities[a]:
            a, b = k, a
        elif probabilities[k] > probabilities[b]:
            b = k
    return a, b


@inlined
def _normal(x: float) -> float:
    """The distribution function of the standard normal distribution."""
    return 0.5 * erfc(-x / sqrt(2.0))
