"""A made-up crowd: who answers what, what they say, and what each of them is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, crowd

Random = np.random.Generator


class Role(IntEnum):
    """What a rater is."""

    ORDINARY = 0
    EXPERT = 1
    SPAMMER = 2
    COPIER = 3


@dataclass(frozen=True)
class Made:
    """Answers with what is true of them."""

    crowd: Crowd
    truth: Ints
    """The class of each task."""
    role: Ints
    """What each rater is, as `Role`."""
    ring: Ints
    """The number of the ring of each copier, -1 of others."""


@dataclass(frozen=True)
class Shape:
    """How large a crowd is."""

    tasks: int
    workers: int
    classes: int
    per_task: float
    """Answers a task, on average; each task has at least one."""


def drawn_shape(
    rng: Random,
    classes: Sequence[int] = (2, 2, 3, 4, 5),
    tasks: tuple[int, int] = (200, 2000),
    per_task: tuple[float, float] = (3, 10),
    per_rater: tuple[float, float] = (15, 100),
) -> Shape:
    """A shape between these bounds; sizes by their logarithm, so that small crowds are as frequent as large ones."""
    n, answers = round(between(rng, *tasks)), between(rng, *per_task)
    workers = max(round(n * answers / between(rng, *per_rater)), int(answers) + 3)
    return Shape(n, workers, int(rng.choice(classes)), answers)


def between(rng: Random, low: float, high: float) -> float:
    """A number between two, uniform in its logarithm."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def pairs(rng: Random, shape: Shape, activity: Floats | None = None) -> tuple[Ints, Ints]:
    """Tasks and raters who answer them: no rater twice a task, some raters far busier than others.

    The raters of a task are the largest of log activity + Gumbel noise, which is to draw them without replacement.
    """
    busy = np.exp(rng.normal(0, 1, shape.workers)) if activity is None else activity
    least = int(shape.per_task)
    size = least + (rng.random(shape.tasks) < shape.per_task - least)
    size = np.clip(size, 1, shape.workers)
    most = int(size.max())
    chosen = np.empty((shape.tasks, most), dtype=np.int64)
    for at in range(0, shape.tasks, 4096):
        some = chosen[at : at + 4096]
        keys = np.log(busy) + rng.gumbel(size=(len(some), shape.workers))
        some[:] = np.argsort(-keys, axis=1)[:, :most]
    kept = np.arange(most) < size[:, None]
    return np.repeat(np.arange(shape.tasks), size), chosen[kept]


def draw(rng: Random, rows: Floats) -> Ints:
    """A label by each row of probabilities."""
    ends = np.cumsum(rows, axis=1)
    labels = (rng.random(len(rows))[:, None] * ends[:, -1:] > ends[:, :-1]).sum(axis=1)
    return np.asarray(labels, dtype=np.int64)


def classes_of(rng: Random, shape: Shape, mass: float = 20.0) -> Ints:
    """The class of each task; the more `mass`, the more alike are classes in number."""
    return rng.choice(shape.classes, shape.tasks, p=rng.dirichlet(np.full(shape.classes, mass)))


def coins(skill: Floats, classes: int) -> Floats:
    """The matrix of each rater who is right so often and errs alike, shape (raters, classes, labels)."""
    wrong = (1 - skill)[:, None, None] / (classes - 1)
    return np.where(np.eye(classes, dtype=bool), skill[:, None, None], wrong)


def around(rng: Random, rows: Floats, strength: float) -> Floats:
    """Matrices like these; the less `strength`, the more each row is its own."""
    drawn = rng.gamma(rows * strength + 1e-9) + 1e-12
    return np.asarray(drawn / drawn.sum(axis=-1, keepdims=True))


def skills(rng: Random, workers: int, mean: float, votes: float = 10.0) -> Floats:
    """How often raters are right: a Beta distribution with this mean, as wide as so many votes leave it."""
    return np.clip(rng.beta(mean * votes, (1 - mean) * votes, workers), 0.02, 0.995)


def made(
    shape: Shape,
    task: Ints,
    worker: Ints,
    label: Ints,
    truth: Ints,
    role: Ints | None = None,
    ring: Ints | None = None,
) -> Made:
    """The crowd of these answers; raters are ordinary unless it is told."""
    answers = crowd(task, worker, label, tasks=shape.tasks, workers=shape.workers, classes=shape.classes)
    nobody = np.full(shape.workers, -1, dtype=np.int64)
    plain = np.zeros(shape.workers, dtype=np.int64)
    return Made(answers, truth, plain if role is None else role, nobody if ring is None else ring)


def thinned(rng: Random, some: Crowd, most: int) -> Crowd:
    """The same crowd with so many answers a task at most, which are drawn."""
    key = rng.random(some.votes)
    order = np.lexsort((key, some.task))
    place = np.arange(some.votes) - np.repeat(some.starts[:-1], some.sizes)
    keep = np.zeros(some.votes, dtype=bool)
    keep[order[place < most]] = True
    return subset(some, keep)


def subset(some: Crowd, keep: NDArray[np.bool_]) -> Crowd:
    """These votes alone; tasks and raters keep their numbers."""
    starts = np.concatenate(([0], np.cumsum(np.bincount(some.task[keep], minlength=some.tasks))))
    return Crowd(starts.astype(np.int64), some.worker[keep], some.label[keep], some.workers, some.classes)
