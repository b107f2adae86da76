"""Measures the consensus of free texts by the word error rate against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from services.scoring.aggregation import text
from services.scoring.aggregation.alignment import Words, edits
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line. A task without an answer counts as an empty text."""
    kept = answers.standing()
    used = kept if trial.limit is None else kept.limited(trial.limit, np.random.default_rng(trial.seed))
    known: dict[str, int] = {}
    labels = [_numbered(label, known) for label in used.labels]
    rows = zip(used.task.tolist(), used.worker.tolist(), used.label.tolist(), strict=True)
    texts = [text.Text(task, worker, labels[label]) for task, worker, label in rows]
    text.consensus([text.Text(0, 0, labels[0])], 1)
    begun = perf_counter()
    found = text.consensus(texts, len(used.workers))
    seconds = perf_counter() - begun
    figures = {"tasks": len(truth), "answers": len(kept.task), "answers_used": len(texts), "seconds": seconds}
    return figures | _judged(found, used, {task: _numbered(label, known) for task, label in truth.items()})


def _judged(found: Mapping[int, Words], used: Answers, truth: Mapping[str, Words]) -> Figures:
    if not truth:
        return {}
    numbers = {name: number for number, name in enumerate(used.tasks)}
    empty = np.empty(0, dtype=np.int32)
    wrong = sum(edits(found.get(numbers.get(name, -1), empty), words) for name, words in truth.items())
    return {"wer": wrong / max(sum(map(len, truth.values())), 1)}


def _numbered(label: str, known: dict[str, int]) -> Words:
    return np.array([known.setdefault(word, len(known)) for word in text.words(label)], dtype=np.int32)
