"""Files of answers and truths: comma-separated, with a header that names `task`, `worker` and `label`."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.scoring.aggregation.crowd import Ints, last_of_each, numbered

Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked of one measurement."""

    gold: int = 0
    limit: int | None = None
    live: bool = False
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answers:
    """Answers by number, in the order of the file, and the names by number."""

    task: Ints
    worker: Ints
    label: Ints
    tasks: list[str]
    workers: list[str]
    labels: list[str]

    def only(self, rows: Ints) -> Answers:
        """The answers in these rows, with the same numbers."""
        return Answers(self.task[rows], self.worker[rows], self.label[rows], self.tasks, self.workers, self.labels)

    def standing(self) -> Answers:
        """The answers that stand, by task and worker: of repeats by one worker the last."""
        return self.only(last_of_each(self.task, self.worker))

    def by_value(self) -> Answers:
        """The same with labels numbered by what they are worth. Raises `ValueError` where one is no number."""
        order = sorted(range(len(self.labels)), key=lambda place: float(self.labels[place]))
        rank = np.argsort(order)
        names = [self.labels[place] for place in order]
        return Answers(self.task, self.worker, rank[self.label], self.tasks, self.workers, names)

    def limited(self, most: int, rng: np.random.Generator) -> Answers:
        """At most so many answers a task, drawn by chance."""
        order = np.lexsort((rng.random(len(self.task)), self.task))
        sizes = np.bincount(self.task, minlength=len(self.tasks))
        place = np.arange(len(order)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        return self.only(np.sort(order[place < most]))


def read_answers(path: Path) -> Answers:
    """Reads answers. A row without a worker is of somebody unknown.

    Raises `KeyError`, `OSError`.
    """
    tasks, workers, labels = read_columns(path, ("task", "worker", "label"))
    named = [name or f"\0{row}" for row, name in enumerate(workers)]
    (task, task_names), (worker, worker_names), (label, label_names) = map(numbered, (tasks, named, labels))
    ordered = sorted(label_names)
    rank = {name: place for place, name in enumerate(ordered)}
    renumbered = np.array([rank[name] for name in label_names], dtype=np.int64)
    return Answers(task, worker, renumbered[label], task_names, worker_names, ordered)


def read_truth(path: Path) -> dict[str, str]:
    """Reads the true label of each task. Raises `KeyError`, `OSError`."""
    return dict(zip(*read_columns(path, ("task", "label")), strict=True))


def read_columns(path: Path, names: Sequence[str]) -> list[list[str]]:
    """The columns of these names. Raises `KeyError` for one that is not there, `OSError`."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows)
        missing = [name for name in names if name not in header]
        if missing:
            raise KeyError(f"{path}: no column {missing[0]}")
        places = [header.index(name) for name in names]
        columns: list[list[str]] = [[] for _ in names]
        for row in rows:
            for column, place in zip(columns, places, strict=True):
                column.append(row[place])
    return columns
