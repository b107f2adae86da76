"""Measures spans, like `3-7;12-15`: characters from, and to before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from time import perf_counter

import numpy as np

from services.scoring.aggregation.evaluate.labels import parts
from services.scoring.aggregation.evaluate.reading import shown
from services.scoring.aggregation.evaluate.tables import Answers, Figures, Trial, counted, drawn
from services.scoring.aggregation.kinds.spans.consensus import Marked, Span, consensus
from services.scoring.aggregation.kinds.spans.live import LiveSpans, Marks

_MOST = 1_000
_SPAN = re.compile(r"(\d{1,9})\s*-\s*(\d{1,9})", re.ASCII)


def label(cell: str) -> str:
    """A set of spans as it is compared; it may be empty. Raises `ValueError` for what is none."""
    found = [_span(part) for part in parts(cell)]
    if len(found) > _MOST:
        raise ValueError(f"lists {len(found):,} spans: at most {_MOST:,} can be compared")
    return ";".join(f"{begin}-{end}" for begin, end in found)


def evaluate(answers: Answers, truth: Mapping[str, str], trial: Trial) -> Figures:
    """The figures of the command line; accuracy is the mean overlap (intersection over union) with the true spans."""
    used, (_, asked) = answers.used(trial.limit, trial.seed), drawn(truth, trial.gold, trial.seed)
    read = [tuple(_span(part) for part in parts(label)) for label in used.labels]
    begun = perf_counter()
    found = _by_steps(used, read) if trial.live else _at_once(used.standing(), read)
    figures = counted(answers, used, asked, perf_counter() - begun)
    places = {name: place for place, name in enumerate(used.tasks)}
    told = [found.get(places.get(name, -1), []) for name in asked]
    overlaps = [
        overlap([marked.span for marked in some], [_span(part) for part in parts(label)])
        for some, label in zip(told, asked.values(), strict=True)
    ]
    return figures | ({"accuracy": float(np.mean(overlaps))} if overlaps else {})


def _at_once(used: Answers, read: list[Marks]) -> dict[int, list[Marked]]:
    rows = zip(used.task.tolist(), used.worker.tolist(), used.label.tolist(), strict=True)
    return consensus({(task, worker): read[label] for task, worker, label in rows}, workers=len(used.workers))


def _by_steps(used: Answers, read: list[Marks]) -> dict[int, list[Marked]]:
    state = LiveSpans(len(used.tasks), len(used.workers))
    for task, worker, label in used.steps():
        state.take(task, worker, [read[n] for n in label])
    return state.consensus()


def _span(part: str) -> Span:
    found = _SPAN.fullmatch(part)
    if found is None or int(found[1]) >= int(found[2]):
        raise ValueError(f"{shown(part)} is no span: write the first character and the one after the last, like 3-7")
    return Span(int(found[1]), int(found[2]))


def overlap(found: Sequence[Span], wanted: Sequence[Span]) -> float:
    """The positions that both mark, over those that one of them does; 1 where neither marks any."""
    edges = sorted({edge for span in (*found, *wanted) for edge in span})
    both = either = 0
    for begin, end in pairwise(edges):
        marks = [any(span.begin <= begin and end <= span.end for span in some) for some in (found, wanted)]
        both += (end - begin) * all(marks)
        either += (end - begin) * any(marks)
    return both / either if either else 1.0
