"""What the engine finds of a question from a few votes, without a database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
from preceptor.work.v1.work_pb2 import Answer, Question

from services.scoring.aggregation import items
from services.scoring.aggregation.aggregator import Aggregator, Stated
from services.scoring.aggregation.items import Item
from services.scoring.aggregation.pool import Pool
from services.scoring.aggregation.prior import Prior
from services.scoring.domain.consensus import Finding
from services.scoring.domain.pace import Pace
from services.scoring.domain.scoring import Scoring, score
from services.scoring.domain.stopping import Redundancy
from services.scoring.domain.votes import Vote, standing

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
    votes = [vote(n, label, strength=strength) for n, (label, strength) in enumerate(said) if label is not None]
    return _first_step(Item(question, aggregator, remaining, votes, 0, (), len(said) - len(votes)), priors)


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
    stand = standing(votes)
    remaining = rule.greatest - len({vote.answer_id for vote in stand})
    found_of = [_first_step(item) for item in items.items(questions, aggregator, remaining, stand, ())]
    return score(votes, stand, found_of, [question.id for question in questions], rule, pace, closed=closed)


def assert_alike(scorings: Sequence[Scoring]) -> None:
    """Asserts that scorings differ by rounding at most."""
    first, *others = scorings
    labels, sure = [each.label for each in first.findings], [each.confidence for each in first.findings]
    for other in others:
        assert (other.outcome, other.seen, other.judgements) == (first.outcome, first.seen, first.judgements)
        assert [finding.label for finding in other.findings] == labels
        assert [finding.confidence for finding in other.findings] == pytest.approx(sure, abs=1e-6)


def _first_step(item: Item, priors: Sequence[tuple[float, float]] | None = None) -> Finding:
    pool = Pool.empty(1, len(item.votes), len(item.aggregator.labels(item.question)))
    right, wrong = np.array(priors or [FRESH] * len(item.votes)).reshape(-1, 2).T.copy()
    pool.coin.prior = Prior(right, wrong)
    [finding] = items.step(pool, [item], items.raters([item]))
    return finding
