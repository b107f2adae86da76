"""The consensus of numbers: what the mean rater would say, with each rater's own bias, scale and noise taken out.

    g(y_ij) = a_j theta_i + b_j + e_ij,   theta_i ~ N(mu, tau^2),   e_ij ~ N(0, s_j^2)

with a_j drawn to 1, b_j to 0 and s_j to the common noise; a mixed model of raters' severity, by EM (Dempster, Laird and
Rubin 1977). g is the identity, or log(y + c) where no score is negative. Which g, or none of it but the plain mean of
the answers, is chosen by how well each predicts answers that it has not seen: professionals differ fourfold in
severity, while laymen's numbers are best left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.models.crowd import Floats, Ints

_ROUNDS = 40
FOLDS = 10
# In answers of a rater: how strongly bias, scale and noise are drawn to those of all.
_BIAS, _SCALE, _NOISE = 5.0, 20.0, 10.0
# By how much a model must predict better than the plain mean to be taken.
_MARGIN = 0.97
# The least variance, in squares of g.
_TINY = 1e-12


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


class Link(NamedTuple):
    """The g of the model, counted from `origin`: so sums of squares stay small where scores are large and alike."""

    shift: float | None
    """The c of log(y + c); none where g is the identity."""
    origin: float

    def __call__(self, value: Floats) -> Floats:
        """g(y)."""
        return np.asarray((value if self.shift is None else np.log(value + self.shift)) - self.origin)

    def back(self, found: Floats) -> Floats:
        """From g(y) to y; no score that is never negative becomes so."""
        whole = found + self.origin
        return np.asarray(whole if self.shift is None else np.maximum(np.exp(whole) - self.shift, 0.0))


class Raters(NamedTuple):
    """The parameters: mean and variance of the latent scores, and each rater's scale, bias and noise."""

    mu: float
    tau: float
    scale: Floats
    bias: Floats
    noise: Floats

    @classmethod
    def alike(cls, g: Floats, workers: int) -> Raters:
        """Before anything is learned."""
        half = max(float(g.var()), _TINY) / 2
        return cls(float(g.mean()), half, np.ones(workers), np.zeros(workers), np.full(workers, half))


@dataclass(frozen=True, slots=True)
class Severity:
    """A fitted model: the latent score of each task with its variance, and the raters."""

    link: Link
    theta: Floats
    variance: Floats
    raters: Raters

    def predict(self, task: Ints, worker: Ints) -> Floats:
        """What these raters would say of these tasks: the median of it."""
        return self.link.back(self.raters.scale[worker] * self.theta[task] + self.raters.bias[worker])

    def consensus(self) -> Floats:
        """What the raters would say of each task, on average."""
        lines = zip(self.raters.scale, self.raters.bias, strict=True)
        return np.asarray(np.mean([self.link.back(a * self.theta + b) for a, b in lines], axis=0))


def linked(values: Floats, *, logarithmic: bool) -> Link:
    """The g for these scores: `logarithmic` takes log(y + c), c a third of the mean score."""
    link = Link(max(float(values.mean()) / 3, 1e-9) if logarithmic else None, 0.0)
    return link._replace(origin=float(link(values).mean()))


def fit(scores: Scores, *, logarithmic: bool) -> Severity:
    """Fits the model to all answers at once."""
    link = linked(scores.value, logarithmic=logarithmic)
    g, raters = link(scores.value), Raters.alike(link(scores.value), scores.workers)
    answered = np.bincount(scores.task, minlength=scores.tasks) > 0
    for _ in range(_ROUNDS):
        theta, variance = expect(scores.task, scores.worker, g, scores.tasks, raters)
        sums = sums_of(scores.worker, scores.workers, theta[scores.task], variance[scores.task], g)
        raters = maximise(sums, moments(theta[answered], variance[answered]))
    return Severity(link, theta, variance, raters)


def expect(task: Ints, worker: Ints, g: Floats, tasks: int, raters: Raters) -> tuple[Floats, Floats]:
    """The E-step: the latent score of each task, and its variance."""
    weight = raters.scale[worker] / raters.noise[worker]
    precision = np.bincount(task, weights=raters.scale[worker] * weight, minlength=tasks) + 1 / raters.tau
    total = np.bincount(task, weights=weight * (g - raters.bias[worker]), minlength=tasks) + raters.mu / raters.tau
    return total / precision, 1 / precision


def sums_of(worker: Ints, workers: int, theta: Floats, variance: Floats, g: Floats) -> Floats:
    """All that the M-step needs of answers, shape (6, workers): their number, and the sums of x, y, x^2, x y and y^2.

    x is the latent score of the answer's task, whose square is expected with its variance; y the answer.
    """
    columns = np.ones_like(g), theta, g, theta**2 + variance, theta * g, g**2
    return np.stack([np.bincount(worker, weights=column, minlength=workers) for column in columns])


def moments(theta: Floats, variance: Floats) -> Floats:
    """All that it needs of tasks: their number, and the sums of x and of x^2."""
    return np.array([len(theta), theta.sum(), (theta**2 + variance).sum()])


def maximise(sums: Floats, tasks: Floats) -> Raters:
    """The M-step from the sums of raters and the moments of tasks."""
    n, x, y, xx, xy, yy = sums
    mu = float(tasks[1] / tasks[0])
    tau = max(float(tasks[2] / tasks[0]) - mu**2, _TINY)
    scale, bias = lines(n, x - n * mu, y - n * mu, xx - 2 * mu * x + n * mu**2, xy - mu * (x + y) + n * mu**2)
    bias = bias + mu * (1 - scale)
    left = yy - 2 * scale * xy - 2 * bias * y + scale**2 * xx + 2 * scale * bias * x + n * bias**2
    left, count = np.maximum(left, 0.0), n.sum()
    noise = (left + _NOISE * left.sum() / count) / (n + _NOISE)
    spread = max(float(yy.sum() / count - (y.sum() / count) ** 2), _TINY)
    return Raters(mu, tau, scale, bias, np.maximum(noise, 1e-6 * spread))


def lines(n: Floats, x: Floats, y: Floats, xx: Floats, xy: Floats) -> tuple[Floats, Floats]:
    """The ridge regression of y on x for each rater, from sums: the slope is drawn to 1, the intercept to 0."""
    unit = max(float(xx.sum() / n.sum()), _TINY)
    squares, products, ones = xx + _SCALE * unit, xy + _SCALE * unit, n + _BIAS
    slope = (products * ones - x * y) / (squares * ones - x**2)
    return slope, (y - slope * x) / ones


def means(scores: Scores) -> Floats:
    """The mean of each task's answers; that of all where there are none."""
    count = np.bincount(scores.task, minlength=scores.tasks)
    total = np.bincount(scores.task, weights=scores.value, minlength=scores.tasks)
    overall = scores.value.mean() if len(scores.value) else 0.0
    return np.where(count > 0, total / np.maximum(count, 1), overall)


def folds(answers: int) -> Ints:
    """The fold of each answer, from 0 to before `FOLDS`."""
    # Rows lie in the order of task and worker, so a stride spreads each fold over all tasks and raters.
    return np.asarray(np.arange(answers) * 7919 % answers % FOLDS)


def held_out(scores: Scores, choice: bool | None) -> Floats:
    """What is predicted for each answer from the others: by the plain mean (none), or by a model."""
    predicted = np.empty(len(scores.value))
    for fold in range(FOLDS):
        hidden = folds(len(predicted)) == fold
        seen = scores.only(np.flatnonzero(~hidden))
        if choice is None:
            predicted[hidden] = means(seen)[scores.task[hidden]]
        else:
            predicted[hidden] = fit(seen, logarithmic=choice).predict(scores.task[hidden], scores.worker[hidden])
    return predicted


def chosen(scores: Scores) -> tuple[bool | None, Floats]:
    """Which model predicts unseen answers best (none: the plain mean), and its predictions."""
    options: list[bool | None] = [None]
    if len(scores.value) >= FOLDS:
        options += [False, True] if scores.value.min() >= 0 else [False]
    predictions = [held_out(scores, option) for option in options]
    losses = [float(np.abs(predicted - scores.value).mean()) for predicted in predictions]
    best = int(np.argmin([losses[0] * _MARGIN, *losses[1:]]))
    return options[best], predictions[best]


def half_width(errors: Floats) -> float:
    """How far nine in ten of unseen answers lie from what is predicted for them."""
    return float(np.quantile(np.abs(errors), 0.9))


def consensus(scores: Scores) -> tuple[Floats, Floats]:
    """The consensus of each task, and the half width of an interval that holds nine in ten of further answers."""
    choice, predicted = chosen(scores)
    width = half_width(predicted - scores.value)
    found = means(scores) if choice is None else fit(scores, logarithmic=choice).consensus()
    return found, np.full(scores.tasks, width)


def learned(found: Floats, gold: Ints, truth: Floats) -> Floats:
    """The consensus on the scale of the truth, which is known of these tasks.

    Truth is taken as the word of one more rater, whose scale and bias against the consensus are found like anybody's:
    they say how all raters err together. A task whose truth is known is certain.
    """
    if not len(gold):
        return found
    origin = found[gold].mean()
    x, y = found[gold] - origin, truth - origin
    sums = (np.array([column.sum()]) for column in (np.ones_like(x), x, y, x * x, x * y))
    slope, bias = lines(*sums)
    corrected = origin + slope * (found - origin) + bias
    corrected[gold] = truth
    return np.asarray(corrected)
