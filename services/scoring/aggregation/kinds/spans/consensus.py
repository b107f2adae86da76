"""Spans marked in texts: each position is a choice between marked and not, and what is probably marked joins to spans.

Boundaries snap to where raters put theirs: a span found between cuts begins and ends at cuts, as positions between
two neighbouring cuts get the same votes. So a task has as many positions as its raters' cuts make pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.aggregation.models.crowd import Ints, crowd


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


Answers = Sequence[tuple[int, Sequence[Span]]]
"""What each answer to a task marks, by rater."""


class Votes(NamedTuple):
    """The votes on the pieces of some tasks: of each the number of its piece, its rater, and whether they mark it."""

    piece: Ints
    worker: Ints
    marked: Ints


def consensus(marks: Marks, *, workers: int, config: Configuration = DEFAULT) -> dict[int, list[Marked]]:
    """The spans of each task. A rater's answer without a span says that nothing is to be marked."""
    by_task: dict[int, list[tuple[int, Sequence[Span]]]] = {}
    for (task, worker), some in marks.items():
        by_task.setdefault(task, []).append((worker, some))
    found: dict[int, list[Marked]] = {task: [] for task in by_task}
    pieces = {task: cut(answers) for task, answers in sorted(by_task.items())}
    votes = votes_on([(some, by_task[task]) for task, some in pieces.items()])
    if not len(votes.piece):
        return found
    count = sum(map(len, pieces.values()))
    cast = crowd(votes.piece, votes.worker, votes.marked, tasks=count, workers=workers, classes=2)
    likely = iter(mixture.consensus(cast, None, config)[:, 1].tolist())
    return found | {task: joined(some, [next(likely) for _ in some]) for task, some in pieces.items()}


def cut(answers: Answers) -> list[Span]:
    """The pieces of a task between neighbouring cuts that at least one rater has marked."""
    spans = [span for _, some in answers for span in some]
    cuts = sorted({edge for span in spans for edge in span})
    return [Span(begin, end) for begin, end in pairwise(cuts) if _covers(spans, begin, end)]


def votes_on(tasks: Iterable[tuple[Sequence[Span], Answers]]) -> Votes:
    """The votes of each task's answers on its pieces, which are numbered through, task by task."""
    rows: list[tuple[int, int, bool]] = []
    number = 0
    for pieces, answers in tasks:
        for piece in pieces:
            rows.extend((number, worker, _covers(some, *piece)) for worker, some in answers)
            number += 1
    return Votes(*np.array(rows, dtype=np.int64).reshape(-1, 3).T)


def joined(pieces: Sequence[Span], likely: Sequence[float]) -> list[Marked]:
    """The spans that the pieces of a task make which are probably marked."""
    found: list[Marked] = []
    for piece, probability in zip(pieces, likely, strict=True):
        if probability > 0.5:
            found = _joined(found, Marked(piece, probability))
    return found


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
