"""What the engine finds of a question from a few votes, without a database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from preceptor.work.v1.work_pb2 import Answer, Question

from services.scoring.aggregation.live.pool import Pool
from services.scoring.aggregation.models.prior import Prior
from services.scoring.aggregation.tasks import items
from services.scoring.aggregation.tasks.items import Item
from services.scoring.aggregation.tasks.sheet import Kept, New, Sheet, pack_answer, pack_stated, unpack
from services.scoring.aggregation.types.aggregator import Aggregator, Stated
from services.scoring.domain.consensus import Finding
from services.scoring.domain.pace import Pace
from services.scoring.domain.scoring import Counts, Scoring, score
from services.scoring.domain.stopping import Redundancy
from services.scoring.domain.votes import Vote

START = datetime(2026, 1, 1, tzinfo=UTC)
FRESH = (3.0, 1.0)
"""Votes that a rater is taken to have got right, and not, of whom nothing is known."""


def vote(number: int, label: int | None, *, strength: int = 0, question: int = 0, expert: int | None = None) -> Vote:
    """A vote by an answer of this number, a second after the one before; by an expert of its own unless told."""
    by = UUID(int=1000 + (number if expert is None else expert))
    return Vote(UUID(int=number), question, by, label, strength, START + timedelta(seconds=number))


def found(
    aggregator: Aggregator,
    question: Question,
    said: Sequence[Stated],
    *,
    remaining: int = 3,
    priors: Sequence[tuple[float, float]] | None = None,
) -> Finding:
    """What the first step of a pool finds of its only question; raters are fresh or have these priors."""
    votes = [vote(n, label, strength=strength) for n, (label, strength) in enumerate(said)]
    [finding] = _first_steps(sheet_of(votes, 1), [Item(question, aggregator, remaining)], priors)
    return finding


def sheet_of(votes: Sequence[Vote], questions: int, *, known: Sequence[Vote] = ()) -> Sheet:
    """A task's answers with these votes on each of its questions, to those with the votes that were known before."""
    before = [_packed(cast) for cast in _by_answer(known)]
    kept = Kept(b"".join(answer for answer, _ in before), b"".join(stated for _, stated in before))
    return unpack([kept], [questions], [New(0, *_packed(cast)) for cast in _by_answer(votes)])


def _by_answer(votes: Sequence[Vote]) -> list[list[Vote]]:
    answers: defaultdict[UUID, dict[int, Vote]] = defaultdict(dict)
    for one in votes:
        answers[one.answer_id][one.question] = one
    return [[cast[question] for question in sorted(cast)] for cast in answers.values()]


def _packed(cast: Sequence[Vote]) -> tuple[bytes, bytes]:
    submitted = round(cast[0].submitted_at.timestamp() * 1_000_000)
    answer = pack_answer(cast[0].answer_id, cast[0].expert_id, submitted, cast[0].hold_ms, surplus=False)
    return answer, pack_stated([(one.label, one.strength) for one in cast])


def findings(aggregator: Aggregator, questions: Sequence[Question], answers: Sequence[Answer]) -> list[Finding]:
    """What answers by fresh raters say of each question of a task."""
    stated = [aggregator.read(answer, questions) for answer in answers]
    return [found(aggregator, question, [each[n] for each in stated]) for n, question in enumerate(questions)]


def scored(
    aggregator: Aggregator,
    questions: Sequence[Question],
    votes: Sequence[Vote],
    rule: Redundancy,
    *,
    closed: bool = False,
    pace: Pace = Pace(),  # noqa: B008 - it cannot change
) -> Scoring:
    """A task scored by votes of fresh raters: each of its questions is the only one of its pool."""
    sheet = sheet_of(votes, len(questions))
    counts = Counts(len(sheet.task), int(sheet.standing().sum()))
    asked = [Item(question, aggregator, rule.greatest - counts.standing) for question in questions]
    names = [question.id for question in questions]
    [answers] = sheet.answered()
    return score(
        answers,
        _first_steps(sheet, asked),
        counts,
        names,
        rule,
        pace,
        closed=closed,
        subjective=aggregator.subjective,
    )


def assert_alike(scorings: Sequence[Scoring]) -> None:
    """Asserts that scorings differ by rounding at most."""
    first, *others = scorings
    labels, sure = [each.label for each in first.findings], [each.confidence for each in first.findings]
    for other in others:
        assert (other.outcome, other.seen, other.judgements) == (first.outcome, first.seen, first.judgements)
        assert [finding.label for finding in other.findings] == labels
        assert [finding.confidence for finding in other.findings] == pytest.approx(sure, abs=1e-6)


def _first_steps(
    sheet: Sheet, some: Sequence[Item], priors: Sequence[tuple[float, float]] | None = None
) -> list[Finding]:
    """What is found of each question of a task, which is the only one of its pool."""
    found_of = []
    for part, item in zip(items.parts(sheet, sheet.standing(), np.arange(len(some))), some, strict=True):
        pool = Pool.empty(1, len(part.experts), len(item.aggregator.labels(item.question)))
        right, wrong = np.array(priors or [FRESH] * len(part.experts)).reshape(-1, 2).T.copy()
        pool.coin.prior = Prior(right, wrong)
        found_of += items.step(pool, part, [item], part.experts)[0]
    return found_of
