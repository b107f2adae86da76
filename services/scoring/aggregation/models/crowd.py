"""The answers of a crowd to many tasks, as arrays that the kernels sweep: one row a task, its votes side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Votes in compressed sparse rows: those of task `t` lie from `starts[t]` to `starts[t + 1]`."""

    starts: Ints
    """Where each task's votes begin; one entry more than there are tasks."""
    worker: NDArray[np.int32]
    """Who cast each vote, by number."""
    label: NDArray[np.int32]
    """What each vote says, by number."""
    workers: int
    classes: int

    @property
    def tasks(self) -> int:
        """The number of tasks, those without a vote among them."""
        return len(self.starts) - 1

    @property
    def votes(self) -> int:
        """The number of votes."""
        return len(self.worker)

    @property
    def sizes(self) -> Ints:
        """The number of votes of each task."""
        return np.diff(self.starts)

    @property
    def task(self) -> Ints:
        """The task of each vote."""
        return np.repeat(np.arange(self.tasks), self.sizes)

    def of_raters(self, wanted: NDArray[np.bool_]) -> Crowd:
        """The votes of these raters alone; tasks and raters keep their numbers."""
        keep = wanted[self.worker]
        starts = np.concatenate(([0], np.cumsum(np.bincount(self.task[keep], minlength=self.tasks))))
        return Crowd(starts.astype(np.int64), self.worker[keep], self.label[keep], self.workers, self.classes)

    def every(self, step: int) -> Crowd:
        """The votes on every so-many-th task alone; raters keep their numbers."""
        keep = np.repeat(np.arange(self.tasks) % step == 0, self.sizes)
        starts = np.concatenate(([0], np.cumsum(self.sizes[::step])))
        return Crowd(starts.astype(np.int64), self.worker[keep], self.label[keep], self.workers, self.classes)


def last_of_each(task: Ints, worker: Ints) -> Ints:
    """The positions of the votes that stand, ordered by task and worker: of repeats by one worker the last.

    Sorted so, the order in which answers came leaves no trace but which of a worker's repeats is the last.
    """
    order = np.lexsort((worker, task))
    ends = np.empty(len(order), dtype=bool)
    ends[-1:] = True
    ends[:-1] = (np.diff(task[order]) != 0) | (np.diff(worker[order]) != 0)
    return order[ends].astype(np.int64)


def crowd(
    task: Ints, worker: Ints, label: Ints, *, tasks: int | None = None, workers: int | None = None, classes: int
) -> Crowd:
    """The crowd of answers given as triples, in the order in which they came; labels are below `classes`."""
    keep = last_of_each(task, worker)
    n = tasks if tasks is not None else int(task.max(initial=-1)) + 1
    starts = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(task[keep], minlength=n), out=starts[1:])
    people = workers if workers is not None else int(worker.max(initial=-1)) + 1
    return Crowd(starts, worker[keep].astype(np.int32), label[keep].astype(np.int32), people, classes)


def tally(crowd: Crowd) -> Floats:
    """The number of votes of each task for each label, shape (tasks, classes)."""
    cells = crowd.task * crowd.classes + crowd.label
    counts = np.bincount(cells, minlength=crowd.tasks * crowd.classes)
    return counts.reshape(crowd.tasks, crowd.classes).astype(np.float64)


def numbered(names: Iterable[str]) -> tuple[Ints, list[str]]:
    """Numbers for names in the order of first appearance, and the names by number."""
    known: dict[str, int] = {}
    numbers = np.fromiter((known.setdefault(name, len(known)) for name in names), dtype=np.int64)
    return numbers, list(known)
