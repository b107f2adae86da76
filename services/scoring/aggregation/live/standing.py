"""The answers that stand, by task, and what a step changes about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import Ints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gone(Generic[T]):
    """Answers that stood before the step, and that their raters have replaced in it."""

    place: Ints
    """The place of the task of each among those of the step."""
    worker: Ints
    what: list[T]


@dataclass(frozen=True, slots=True)
class Step(Generic[T]):
    """The answers to the tasks that a step touches, task by task; of each first those that stood before."""

    tasks: Ints
    starts: Ints
    """Where each task's answers begin; one entry more than there are tasks."""
    counted: Ints
    """How many answers of each task stood before the step."""
    worker: Ints
    what: list[T]
    gone: Gone[T]

    @property
    def place(self) -> Ints:
        """The place of each answer's task among those of the step."""
        return np.repeat(np.arange(len(self.tasks)), np.diff(self.starts))

    @property
    def fresh(self) -> NDArray[np.bool_]:
        """Which answers are new."""
        order = np.arange(len(self.worker)) - self.starts[self.place]
        return np.asarray(order >= self.counted[self.place])


class Standing(Generic[T]):
    """The answers that stand. An answer that says what its rater has said of the task before changes nothing."""

    def __init__(self, tasks: int) -> None:
        """Before the first answer."""
        self._said: list[dict[int, T]] = [{} for _ in range(tasks)]
        self.size = self.fitted = 0
        """How many answers stand, and how many did at the last fit."""

    @classmethod
    def of(cls, tasks: int, task: Ints, worker: Ints, what: Sequence[T], fitted: int) -> Standing[T]:
        """Those that `rows` told."""
        made = cls(tasks)
        made.take(task, worker, what)
        made.fitted = fitted
        return made

    @property
    def due(self) -> bool:
        """Whether the answers have grown enough for a fit of all."""
        return self.size >= DEFAULT.fit_at(self.fitted)

    def take(self, task: Ints, worker: Ints, what: Sequence[T]) -> Step[T]:
        """Takes answers in the order in which they came."""
        came: dict[int, dict[int, T]] = {}
        for t, w, said in zip(task.tolist(), worker.tolist(), what, strict=True):
            came.setdefault(t, {})[w] = said
        news = {t: {w: said for w, said in some.items() if self._said[t].get(w) != said} for t, some in came.items()}
        touched = [t for t, some in news.items() if some]
        gone = [(n, w, self._said[t].pop(w)) for n, t in enumerate(touched) for w in news[t] if w in self._said[t]]
        counted = [len(self._said[t]) for t in touched]
        for t in touched:
            self._said[t] |= news[t]
        self.size += sum(len(news[t]) for t in touched) - len(gone)
        return self._step(touched, counted, gone)

    def rows(self) -> tuple[Ints, Ints, list[T]]:
        """All that stands by task and rater: their numbers, and what is said."""
        cells = [(t, w) for t, said in enumerate(self._said) for w in sorted(said)]
        task, worker = np.array(cells, dtype=np.int64).reshape(-1, 2).T
        return task, worker, [self._said[t][w] for t, w in cells]

    def of_task(self, task: int) -> dict[int, T]:
        """What stands of a task, by rater in their order."""
        return dict(sorted(self._said[task].items()))

    def _step(self, tasks: list[int], counted: list[int], gone: list[tuple[int, int, T]]) -> Step[T]:
        said = [self._said[t] for t in tasks]
        place, rater = np.array([(n, w) for n, w, _ in gone], dtype=np.int64).reshape(-1, 2).T
        return Step(
            np.array(tasks, dtype=np.int64),
            np.cumsum([0, *map(len, said)]),
            np.array(counted, dtype=np.int64),
            np.array([w for some in said for w in some], dtype=np.int64),
            [what for some in said for what in some.values()],
            Gone(place, rater, [what for _, _, what in gone]),
        )
