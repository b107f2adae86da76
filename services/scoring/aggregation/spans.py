"""Spans marked in texts: each position is a choice between marked and not, and what is probably marked joins to spans.

Boundaries snap to where raters put theirs: a span found between cuts begins and ends at cuts, as positions between
two neighbouring cuts get the same votes. So a task has as many positions as its raters' cuts make pieces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation import mixture
from services.scoring.aggregation.configuration import DEFAULT, Configuration
from services.scoring.aggregation.crowd import crowd


class Span(NamedTuple):
    """From `begin` to before `end`, in characters."""

    begin: int
    end: int


class Marked(NamedTuple):
    """A span of the consensus, with the mean probability of its positions."""

    span: Span
    confidence: float


Marks = Mapping[tuple[int, int], Sequence[Span]]
"""What each answer marks, by task and worker."""


def consensus(marks: Marks, *, workers: int, config: Configuration = DEFAULT) -> dict[int, list[Marked]]:
    """The spans of each task. A rater's answer without a span says that nothing is to be marked."""
    by_task: dict[int, list[tuple[int, Sequence[Span]]]] = {}
    for (task, worker), some in marks.items():
        by_task.setdefault(task, []).append((worker, some))
    pieces: list[tuple[int, int, int]] = []
    rows: list[tuple[int, int, bool]] = []
    for task, answers in sorted(by_task.items()):
        for begin, end in _cut([span for _, some in answers for span in some]):
            rows.extend((len(pieces), worker, _covers(some, begin, end)) for worker, some in answers)
            pieces.append((task, begin, end))
    found: dict[int, list[Marked]] = {task: [] for task, _ in marks}
    if not rows:
        return found
    piece, rater, marked = (np.array(column, dtype=np.int64) for column in zip(*rows, strict=True))
    votes = crowd(piece, rater, marked, tasks=len(pieces), workers=workers, classes=2)
    likely = mixture.consensus(votes, None, config)[:, 1]
    for (task, begin, end), probability in zip(pieces, likely.tolist(), strict=True):
        if probability > 0.5:
            found[task] = _joined(found[task], Marked(Span(begin, end), probability))
    return found


def _cut(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The pieces between neighbouring cuts that at least one rater has marked."""
    cuts = sorted({edge for span in spans for edge in span})
    return [(begin, end) for begin, end in pairwise(cuts) if _covers(spans, begin, end)]


def _covers(spans: Sequence[Span], begin: int, end: int) -> bool:
    return any(span.begin <= begin and end <= span.end for span in spans)


def _joined(spans: list[Marked], piece: Marked) -> list[Marked]:
    """The spans with a piece more, which becomes part of the last one where it begins at its end."""
    if not spans or spans[-1].span.end != piece.span.begin:
        return [*spans, piece]
    last, longer = spans[-1], piece.span.end - piece.span.begin
    length = last.span.end - last.span.begin
    mean = (last.confidence * length + piece.confidence * longer) / (length + longer)
    return [*spans[:-1], Marked(Span(last.span.begin, piece.span.end), mean)]
