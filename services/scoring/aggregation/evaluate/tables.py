"""Files of answers and truths: comma-separated, with a header that names `task`, `worker` and `label`."""

from __future__ import annotations

import csv
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.scoring.aggregation.configuration import DEFAULT, Configuration
from services.scoring.aggregation.crowd import Ints, last_of_each

Figures = dict[str, float]
STEP = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """What is asked of one measurement."""

    gold: int = 0
    limit: int | None = None
    live: bool = False
    seed: int = 0
    config: Configuration = DEFAULT


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

    def without(self, some: Answers) -> Answers:
        """Those by other raters to other tasks: none that has task and rater in common with one of `some`."""
        cells, hidden = (a.task * len(self.workers) + a.worker for a in (self, some))
        return self.only(np.flatnonzero(~np.isin(cells, hidden)))

    def steps(self) -> Iterator[tuple[Ints, Ints, Ints]]:
        """Task, worker and label in the order of the file, as batches of events bring them: 500 at a time."""
        for begin in range(0, len(self.task), STEP):
            step = slice(begin, begin + STEP)
            yield self.task[step], self.worker[step], self.label[step]

    def used(self, limit: int | None, seed: int) -> Answers:
        """All answers, repeats among them, in the order of the file; with a limit those that stand, as `limited`."""
        return self if limit is None else self.standing().limited(limit, np.random.default_rng(seed))

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


def drawn(truth: Mapping[str, str], size: int, seed: int) -> tuple[dict[str, str], dict[str, str]]:
    """The truths that are drawn as gold, and those that are left to be measured: one at least, if there is one."""
    size = min(size, max(len(truth) - 1, 0))
    chosen = set(np.random.default_rng(seed).permutation(len(truth))[:size].tolist())
    gold = {name: label for place, (name, label) in enumerate(truth.items()) if place in chosen}
    return gold, {name: label for name, label in truth.items() if name not in gold}


def read_answers(path: Path) -> Answers:
    """Reads answers. A row without a worker is of somebody unknown. Raises `KeyError`, `OSError`.

    Names become numbers row by row, so that ten million answers take 120 MB and their names.
    """
    known: tuple[dict[str, int], ...] = ({}, {}, {})
    columns = tuple(array("i") for _ in known)
    for row, (task, worker, label) in enumerate(_rows(path, ("task", "worker", "label"))):
        for value, names, column in zip((task, worker or f"\0{row}", label), known, columns, strict=True):
            column.append(names.setdefault(value, len(names)))
    task_numbers, worker_numbers, label_numbers = (np.array(column, dtype=np.int64) for column in columns)
    tasks, workers, labels = known
    ordered = sorted(labels)
    rank = {name: place for place, name in enumerate(ordered)}
    renumbered = np.array([rank[name] for name in labels], dtype=np.int64)
    return Answers(task_numbers, worker_numbers, renumbered[label_numbers], list(tasks), list(workers), ordered)


def read_truth(path: Path) -> dict[str, str]:
    """Reads the true label of each task. Raises `KeyError`, `OSError`."""
    found: dict[str, str] = {}
    for task, label in _rows(path, ("task", "label")):
        found[task] = label
    return found


def _rows(path: Path, names: Sequence[str]) -> Iterator[list[str]]:
    """The values of these columns, row by row. Raises `KeyError` for one that is not there, `OSError`."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        missing = [name for name in names if name not in header]
        if missing:
            raise KeyError(f"{path}: no column {missing[0]}")
        places = [header.index(name) for name in names]
        for row in rows:
            if row:
                yield [row[place] for place in places]
