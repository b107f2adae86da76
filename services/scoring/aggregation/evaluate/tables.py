"""Answers and truths by number, and their files: tables whose header names `task`, `worker` and `label`."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from services.scoring.aggregation.evaluate.labels import Read, name
from services.scoring.aggregation.evaluate.reading import (
    UnreadableTableError,
    Watch,
    check_readable,
    rows,
    shown,
    silent,
)
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Ints, last_of_each

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


def counted(answers: Answers, used: Answers, asked: Sized, seconds: float) -> Figures:
    """How much was measured: tasks asked for, or all; answers that stand, of all and of those used; seconds taken."""
    kept, standing = answers.standing(), used.standing()
    figures = {"tasks": len(asked) or len(used.tasks), "answers": len(kept.task), "answers_used": len(standing.task)}
    return figures | {"seconds": seconds}


def read_answers(path: Path, task: Read = name, label: Read = name, watch: Watch = silent) -> Answers:
    """Reads answers, whose tasks and labels are read so. A row without a worker is of somebody unknown.

    Names become numbers row by row, so that ten million answers take 120 MB and their names. Raises
    `UnreadableTableError`.
    """
    tasks, workers, labels = (Names(path, *each) for each in (("task", task), ("worker", name), ("label", label)))
    columns = tuple(array("i") for _ in range(3))
    for row, (task_cell, worker_cell, label_cell) in rows(path, ("task", "worker", "label"), watch):
        columns[0].append(tasks.number(task_cell, row))
        columns[1].append(workers.number(worker_cell, row) if worker_cell else workers.another())
        columns[2].append(labels.number(label_cell, row))
    task_numbers, worker_numbers, label_numbers = (np.array(column, dtype=np.int64) for column in columns)
    ordered = sorted(labels.known)
    rank = {known: place for place, known in enumerate(ordered)}
    renumbered = np.array([rank[known] for known in labels.known], dtype=np.int64)
    return Answers(
        task_numbers, worker_numbers, renumbered[label_numbers], list(tasks.known), list(workers.known), ordered
    )


def read_truth(path: Path, task: Read = name, label: Read = name, watch: Watch = silent) -> dict[str, str]:
    """Reads the true label of each task. Raises `UnreadableTableError`, also where a task has two."""
    tasks, labels = Names(path, "task", task), Names(path, "label", label)
    found: dict[int, tuple[int, int]] = {}
    for row, (task_cell, label_cell) in rows(path, ("task", "label"), watch):
        number, told = tasks.number(task_cell, row), labels.number(label_cell, row)
        before, known = found.setdefault(number, (row, told))
        if known != told:
            problem = f"{shown(label_cell.strip())} is another truth of the task than row {before} has: remove one"
            raise UnreadableTableError(path, problem, row, "label")
    names, known_labels = list(tasks.known), list(labels.known)
    return {names[number]: known_labels[told] for number, (_, told) in found.items()}


class Names:
    """Numbers of the names in a column, in the order of their coming; a name is looked at when it comes first."""

    def __init__(self, path: Path, column: str, read: Read) -> None:
        self._path, self._column, self._read = path, column, read
        self._others: dict[str, int] = {}
        """What is written otherwise than the name that it is."""
        self.known: dict[str, int] = {}
        """By name."""

    def number(self, cell: str, row: int) -> int:
        """The number of what a cell names. Raises `UnreadableTableError` for one that cannot be read."""
        if (found := self.known.get(cell)) is None and (found := self._others.get(cell)) is None:
            found = self._new(cell, row)
        return found

    def another(self) -> int:
        """The number of somebody who is like nobody else: no cell holds a NUL character."""
        return self.known.setdefault(f"\0{len(self.known)}", len(self.known))

    def _new(self, cell: str, row: int) -> int:
        try:
            check_readable(cell)
            read = self._read(cell)
        except ValueError as error:
            raise UnreadableTableError(self._path, str(error), row, self._column) from None
        found = self.known.setdefault(read, len(self.known))
        if read != cell:
            self._others[cell] = found
        return found
