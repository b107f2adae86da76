"""Measures answers that are sets: of labels (`a;b`) or of spans (`3-7;12-15`, characters from and to before)."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from services.scoring.aggregation import multilabel, spans
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial


def evaluate_multilabel(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line; accuracy is the share of labels of tasks that are rightly there or not there."""
    used = _used(answers, trial)
    names = sorted({name for label in used.labels for name in parts(label)})
    numbers = {name: number for number, name in enumerate(names)}
    sets = [frozenset(numbers[name] for name in parts(label)) for label in used.labels]
    begun = perf_counter()
    found = multilabel.consensus(
        used.task,
        used.worker,
        [sets[label] for label in used.label],
        tasks=len(used.tasks),
        workers=len(used.workers),
        labels=len(names),
    )
    figures = _counted(answers, used, perf_counter() - begun)
    share = np.zeros_like(found)
    for task, label in zip(used.task.tolist(), used.label.tolist(), strict=True):
        share[task, list(sets[label])] += 1
    share /= np.maximum(np.bincount(used.task, minlength=len(used.tasks)), 1)[:, None]
    asked = [place for place, name in enumerate(used.tasks) if name in truth]
    if not asked:
        return figures
    wanted = np.array([[name in parts(truth[used.tasks[place]]) for name in names] for place in asked])
    right = {name: float(np.mean((some[asked] > 0.5) == wanted)) for name, some in (("a", found), ("m", share))}
    return figures | {"accuracy": right["a"], "majority_accuracy": right["m"]}


def evaluate_spans(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line; accuracy is the mean overlap (intersection over union) with the true spans."""
    used = _used(answers, trial)
    read = [[_span(part) for part in parts(label)] for label in used.labels]
    rows = zip(used.task.tolist(), used.worker.tolist(), used.label.tolist(), strict=True)
    begun = perf_counter()
    found = spans.consensus({(task, worker): read[label] for task, worker, label in rows}, workers=len(used.workers))
    figures = _counted(answers, used, perf_counter() - begun)
    overlaps = [
        _overlap({place for marked in found.get(task, []) for place in range(*marked.span)}, _positions(truth[name]))
        for task, name in enumerate(used.tasks)
        if name in truth
    ]
    return figures | ({"accuracy": float(np.mean(overlaps))} if overlaps else {})


def parts(label: str) -> list[str]:
    """The parts of a label that lists some, without those that are empty."""
    return [part.strip() for part in label.split(";") if part.strip()]


def _span(part: str) -> spans.Span:
    begin, _, end = part.partition("-")
    return spans.Span(int(begin), int(end))


def _positions(label: str) -> set[int]:
    return {place for part in parts(label) for place in range(*_span(part))}


def _overlap(found: set[int], wanted: set[int]) -> float:
    return len(found & wanted) / len(found | wanted) if found | wanted else 1.0


def _used(answers: Answers, trial: Trial) -> Answers:
    kept = answers.standing()
    return kept if trial.limit is None else kept.limited(trial.limit, np.random.default_rng(trial.seed))


def _counted(answers: Answers, used: Answers, seconds: float) -> Figures:
    kept = len(answers.standing().task)
    return {"tasks": len(used.tasks), "answers": kept, "answers_used": len(used.task), "seconds": seconds}
