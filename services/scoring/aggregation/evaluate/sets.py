"""Measures answers that are sets: of labels (`a;b`) or of spans (`3-7;12-15`, characters from and to before)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation import multilabel, spans
from services.scoring.aggregation.crowd import Floats
from services.scoring.aggregation.evaluate.labels import parts
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, drawn
from services.scoring.aggregation.live.multilabels import Labels, LiveMultilabels
from services.scoring.aggregation.live.spans import LiveSpans, Marks
from services.scoring.aggregation.spans import Marked


def evaluate_multilabel(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
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
    figures = _counted(answers, used, asked, perf_counter() - begun)
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
    return multilabel.consensus(used.task, used.worker, named, workers=len(used.workers), gold=gold)


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


def evaluate_spans(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line; accuracy is the mean overlap (intersection over union) with the true spans."""
    used, (_, asked) = answers.used(trial.limit, trial.seed), drawn(truth, trial.gold, trial.seed)
    read = [tuple(_span(part) for part in parts(label)) for label in used.labels]
    begun = perf_counter()
    found = _spans_by_steps(used, read) if trial.live else _spans(used.standing(), read)
    figures = _counted(answers, used, asked, perf_counter() - begun)
    places = {name: place for place, name in enumerate(used.tasks)}
    told = [found.get(places.get(name, -1), []) for name in asked]
    overlaps = [
        overlap([marked.span for marked in some], [_span(part) for part in parts(label)])
        for some, label in zip(told, asked.values(), strict=True)
    ]
    return figures | ({"accuracy": float(np.mean(overlaps))} if overlaps else {})


def _spans(used: Answers, read: list[Marks]) -> dict[int, list[Marked]]:
    rows = zip(used.task.tolist(), used.worker.tolist(), used.label.tolist(), strict=True)
    return spans.consensus({(task, worker): read[label] for task, worker, label in rows}, workers=len(used.workers))


def _spans_by_steps(used: Answers, read: list[Marks]) -> dict[int, list[Marked]]:
    state = LiveSpans(len(used.tasks), len(used.workers))
    for task, worker, label in used.steps():
        state.take(task, worker, [read[n] for n in label])
    return state.consensus()


def _span(part: str) -> spans.Span:
    begin, _, end = part.partition("-")
    return spans.Span(int(begin), int(end))


def overlap(found: Sequence[spans.Span], wanted: Sequence[spans.Span]) -> float:
    """The positions that both mark, over those that one of them does; 1 where neither marks any."""
    edges = sorted({edge for span in (*found, *wanted) for edge in span})
    both = either = 0
    for begin, end in pairwise(edges):
        marks = [any(span.begin <= begin and end <= span.end for span in some) for some in (found, wanted)]
        both += (end - begin) * all(marks)
        either += (end - begin) * any(marks)
    return both / either if either else 1.0


def _counted(answers: Answers, used: Answers, asked: Sized, seconds: float) -> Figures:
    kept, standing = answers.standing(), used.standing()
    figures = {"tasks": len(asked) or len(used.tasks), "answers": len(kept.task), "answers_used": len(standing.task)}
    return figures | {"seconds": seconds}
