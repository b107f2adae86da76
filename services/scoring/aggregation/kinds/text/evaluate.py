"""Measures the consensus of free texts by the word error rate against the truth."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter

import numpy as np

from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, drawn
from services.scoring.aggregation.kinds.text import consensus as text
from services.scoring.aggregation.kinds.text.alignment import Words, edits
from services.scoring.aggregation.kinds.text.live import LiveTexts

_MOST_WORDS = 5_000
"""Two texts are aligned by a table of all pairs of their words."""


def label(cell: str) -> str:
    """A text, which may be empty; it is compared word by word. Raises `ValueError` for one that is too long."""
    if (words := len(text.words(cell))) > _MOST_WORDS:
        raise ValueError(
            f"has {words:,} words: at most {_MOST_WORDS:,} can be aligned; cut the text into several tasks"
        )
    return cell


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line. A task without an answer counts as an empty text."""
    used, known = answers.used(trial.limit, trial.seed), dict[str, int]()
    _, asked = drawn(truth, trial.gold, trial.seed)
    labels = [_numbered(label, known) for label in used.labels]
    text.consensus([text.Text(0, 0, labels[0])], 1)
    begun = perf_counter()
    found = _by_steps(used, labels) if trial.live else _at_once(used.standing(), labels)
    seconds = perf_counter() - begun
    kept, standing = answers.standing(), used.standing()
    counted = {"tasks": len(asked), "answers": len(kept.task), "answers_used": len(standing.task), "seconds": seconds}
    return counted | _judged(found, used, {task: _numbered(label, known) for task, label in asked.items()})


def _at_once(used: Answers, labels: list[Words]) -> Mapping[int, Words]:
    rows = zip(used.task.tolist(), used.worker.tolist(), used.label.tolist(), strict=True)
    return text.consensus([text.Text(task, worker, labels[label]) for task, worker, label in rows], len(used.workers))


def _by_steps(used: Answers, labels: list[Words]) -> Mapping[int, Words]:
    state = LiveTexts(len(used.tasks), len(used.workers))
    for task, worker, label in used.steps():
        state.take(task, worker, [labels[n] for n in label])
    return state.told


def _judged(found: Mapping[int, Words], used: Answers, truth: Mapping[str, Words]) -> Figures:
    if not truth:
        return {}
    numbers = {name: number for number, name in enumerate(used.tasks)}
    empty = np.empty(0, dtype=np.int32)
    wrong = sum(edits(found.get(numbers.get(name, -1), empty), words) for name, words in truth.items())
    return {"wer": wrong / max(sum(map(len, truth.values())), 1)}


def _numbered(label: str, known: dict[str, int]) -> Words:
    return np.array([known.setdefault(word, len(known)) for word in text.words(label)], dtype=np.int32)
