"""Measures answers that are sets of labels, like `a;b`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.evaluate.labels import parts
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, counted, drawn
from services.scoring.aggregation.kinds.set.consensus import consensus
from services.scoring.aggregation.kinds.set.live import Labels, LiveMultilabels
from services.scoring.aggregation.models.crowd import Floats


def label(cell: str) -> str:
    """A set of labels as it is compared; it may be empty."""
    return ";".join(sorted(set(parts(cell))))


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line; accuracy is the share of labels of tasks that are rightly there or not there."""
    used, (known, asked) = answers.used(trial.limit, trial.seed), drawn(truth, trial.gold, trial.seed)
    names = sorted({name for label in used.labels for name in parts(label)})
    numbers = {name: number for number, name in enumerate(names)}
    sets = [frozenset(numbers[name] for name in parts(label)) for label in used.labels]
    gold = np.full((len(used.tasks), len(names)), -1, dtype=np.int32)
    for place, name in enumerate(used.tasks):
        if name in known:
            gold[place] = _wanted([known[name]], names)
    begun = perf_counter()
    found = _labels_by_steps(used, sets, gold) if trial.live else _labels(used.standing(), sets, gold)
    figures = counted(answers, used, asked, perf_counter() - begun)
    if not asked:
        return figures
    wanted = _wanted(asked.values(), names)
    of_asked = [_asked(used, asked, some) for some in (found, _shares(used.standing(), sets, len(names)))]
    right, of_majority = (float(np.mean((some > 0.5) == wanted)) for some in of_asked)
    return figures | {"accuracy": right, "majority_accuracy": of_majority}


def _wanted(labels: Iterable[str], names: Sequence[str]) -> NDArray[np.bool_]:
    """Which of these each label lists."""
    return np.array([[name in set(parts(label)) for name in names] for label in labels])


def _asked(used: Answers, asked: Iterable[str], found: Floats) -> Floats:
    """What is found of the tasks that are asked for; of one without answers, nothing."""
    places = {name: place for place, name in enumerate(used.tasks)}
    whole = np.vstack((found, np.zeros(found.shape[1])))
    return whole[[places.get(name, -1) for name in asked]]


def _labels(used: Answers, sets: list[Labels], gold: NDArray[np.int32]) -> Floats:
    named = [sets[label] for label in used.label]
    return consensus(used.task, used.worker, named, workers=len(used.workers), gold=gold)


def _labels_by_steps(used: Answers, sets: list[Labels], gold: NDArray[np.int32]) -> Floats:
    state = LiveMultilabels(len(used.workers), gold)
    for task, worker, label in used.steps():
        state.take(task, worker, [sets[n] for n in label])
    return state.consensus()


def _shares(used: Answers, sets: list[Labels], labels: int) -> Floats:
    """The share of each task's answers that name each label."""
    share = np.zeros((len(used.tasks), labels))
    for task, label in zip(used.task.tolist(), used.label.tolist(), strict=True):
        share[task, list(sets[label])] += 1
    return share / np.maximum(np.bincount(used.task, minlength=len(used.tasks)), 1)[:, None]
