"""The consensus of numbers: what the mean rater would say, with each rater's own bias, scale and noise taken out.

    g(y_ij) = a_j theta_i + b_j + e_ij,   theta_i ~ N(mu, tau^2),   e_ij ~ N(0, s_j^2)

with a_j drawn to 1, b_j to 0 and s_j to the common noise; a mixed model of raters' severity, by EM (Dempster, Laird and
Rubin 1977). g is the identity, or log(y + c) where no score is negative. Which g, or none of it but the plain mean of
the answers, is chosen by how well each predicts answers that it has not seen: professionals differ fourfold in
severity, while laymen's numbers are best left alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from services.scoring.aggregation.crowd import Floats, Ints

_ROUNDS = 40
_FOLDS = 10
# In answers of a rater: how strongly bias, scale and noise are drawn to those of all.
_BIAS, _SCALE, _NOISE = 5.0, 20.0, 10.0
# By how much a model must predict better than the plain mean to be taken.
_MARGIN = 0.97


@dataclass(frozen=True, slots=True)
class Scores:
    """Numbers given to tasks by raters."""

    task: Ints
    worker: Ints
    value: Floats
    tasks: int
    workers: int

    def only(self, rows: Ints) -> Scores:
        """The answers in these rows."""
        return Scores(self.task[rows], self.worker[rows], self.value[rows], self.tasks, self.workers)


@dataclass(frozen=True, slots=True)
class Severity:
    """A fitted model: the latent score of each task with its variance, and each rater's scale, bias and noise."""

    shift: float | None
    """The c of log(y + c); none where g is the identity."""
    theta: Floats
    variance: Floats
    scale: Floats
    bias: Floats
    noise: Floats

    def predict(self, task: Ints, worker: Ints) -> Floats:
        """What these raters would say of these tasks: the median of it."""
        return self._back(self.scale[worker] * self.theta[task] + self.bias[worker])

    def consensus(self) -> Floats:
        """What the raters would say of each task, on average."""
        by_rater = [self._back(a * self.theta + b) for a, b in zip(self.scale, self.bias, strict=True)]
        return np.asarray(np.mean(by_rater, axis=0))

    def _back(self, value: Floats) -> Floats:
        return value if self.shift is None else np.asarray(np.maximum(np.exp(value) - self.shift, 0.0))


def fit(scores: Scores, *, logarithmic: bool) -> Severity:
    """Fits the model; `logarithmic` takes g to be log(y + c), c a third of the mean score."""
    shift = max(float(scores.value.mean()) / 3, 1e-9) if logarithmic else None
    g = scores.value if shift is None else np.log(scores.value + shift)
    task, worker, n, m = scores.task, scores.worker, scores.tasks, scores.workers
    spread = max(float(g.var()), 1e-12)
    scale, bias, noise = np.ones(m), np.zeros(m), np.full(m, spread / 2)
    mu, tau = float(g.mean()), spread / 2
    count = np.bincount(worker, minlength=m)
    for _ in range(_ROUNDS):
        weight = scale[worker] / noise[worker]
        precision = np.bincount(task, weights=scale[worker] * weight, minlength=n) + 1 / tau
        theta = (np.bincount(task, weights=weight * (g - bias[worker]), minlength=n) + mu / tau) / precision
        mu, tau = float(theta.mean()), float(((theta - theta.mean()) ** 2).mean() + (1 / precision).mean())
        scale, bias = _lines(theta[task] - mu, 1 / precision[task], g - mu, worker, count)
        bias = bias + mu * (1 - scale)
        left = (g - scale[worker] * theta[task] - bias[worker]) ** 2 + scale[worker] ** 2 / precision[task]
        common = left.mean()
        noise = (np.bincount(worker, weights=left, minlength=m) + _NOISE * common) / (count + _NOISE)
        noise = np.maximum(noise, 1e-6 * spread)
    return Severity(shift, theta, 1 / precision, scale, bias, noise)


def _lines(x: Floats, variance: Floats, y: Floats, worker: Ints, count: Ints) -> tuple[Floats, Floats]:
    """The ridge regression of y on x for each rater: the slope is drawn to 1, the intercept to 0."""
    unit = max(float(np.mean(x**2 + variance)), 1e-12)
    xx = np.bincount(worker, weights=x**2 + variance, minlength=len(count)) + _SCALE * unit
    xy = np.bincount(worker, weights=x * y, minlength=len(count)) + _SCALE * unit
    sx = np.bincount(worker, weights=x, minlength=len(count))
    sy = np.bincount(worker, weights=y, minlength=len(count))
    ones = count + _BIAS
    slope = (xy * ones - sx * sy) / (xx * ones - sx**2)
    return slope, (sy - slope * sx) / ones


def means(scores: Scores) -> Floats:
    """The mean of each task's answers; that of all where there are none."""
    count = np.bincount(scores.task, minlength=scores.tasks)
    total = np.bincount(scores.task, weights=scores.value, minlength=scores.tasks)
    overall = scores.value.mean() if len(scores.value) else 0.0
    return np.where(count > 0, total / np.maximum(count, 1), overall)


def held_out(scores: Scores, choice: bool | None) -> Floats:
    """What is predicted for each answer from the others: by the plain mean (none), or by a model."""
    predicted = np.empty(len(scores.value))
    for fold in range(_FOLDS):
        # Rows lie in the order of task and worker, so a stride spreads each fold over all tasks and raters.
        hidden = np.arange(len(predicted)) * 7919 % len(predicted) % _FOLDS == fold
        seen = scores.only(np.flatnonzero(~hidden))
        if choice is None:
            predicted[hidden] = means(seen)[scores.task[hidden]]
        else:
            predicted[hidden] = fit(seen, logarithmic=choice).predict(scores.task[hidden], scores.worker[hidden])
    return predicted


def chosen(scores: Scores) -> tuple[bool | None, Floats]:
    """Which model predicts unseen answers best (none: the plain mean), and its predictions."""
    options: list[bool | None] = [None, False]
    if len(scores.value) and scores.value.min() >= 0:
        options.append(True)
    predictions = [held_out(scores, option) for option in options]
    losses = [float(np.abs(predicted - scores.value).mean()) for predicted in predictions]
    best = int(np.argmin([losses[0] * _MARGIN, *losses[1:]]))
    return options[best], predictions[best]


def consensus(scores: Scores) -> tuple[Floats, Floats]:
    """The consensus of each task, and the half width of an interval that holds nine in ten of further answers."""
    choice, predicted = chosen(scores)
    width = float(np.quantile(np.abs(predicted - scores.value), 0.9))
    found = means(scores) if choice is None else fit(scores, logarithmic=choice).consensus()
    return found, np.full(scores.tasks, width)
