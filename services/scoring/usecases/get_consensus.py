"""Reads what is known of a task: the consensus as it stands, and the votes it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from uuid import UUID

import numpy as np

from chassis.db import Transaction
from chassis.errors import NotFound
from services.scoring.aggregation.tasks.sheet import Kept, standing_votes
from services.scoring.domain.votes import Vote
from services.scoring.usecases.tasks import WEIGHT, form_of

_STATE = """
SELECT task_type, questions, version, verdict, reason, result, confidence, weights, answers, stated FROM task_state
WHERE task_id = $1 AND version > 0
"""


class ConsensusNotFound(NotFound):
    """There is no such task, or it has no answer yet."""

    reason = "CONSENSUS_NOT_FOUND"


@dataclass(frozen=True, slots=True)
class StandingVote:
    """A vote that takes part, with the evidence that it brought for its own label, in nats."""

    answer_id: UUID
    question: int
    label: int
    weight: float


@dataclass(frozen=True, slots=True)
class TaskConsensus:
    """The last scoring of a task. Serialized are the questions, a ``preceptor.work.v1.Questions``, and the result, a
    ``preceptor.work.v1.Result``.
    """

    task_type: int
    questions: bytes
    version: int
    verdict: int
    reason: int
    result: bytes
    confidence: float
    votes: Sequence[StandingVote]


async def get_consensus(tx: Transaction, task_id: UUID) -> TaskConsensus:
    """The consensus of a task, if the transaction's scope shows it. Raises `ConsensusNotFound`."""
    state = await tx.fetchrow(_STATE, task_id)
    if state is None:
        raise ConsensusNotFound
    asked = len(form_of(state["task_type"], state["questions"]).questions)
    return TaskConsensus(
        task_type=state["task_type"],
        questions=state["questions"],
        version=state["version"],
        verdict=state["verdict"],
        reason=state["reason"],
        result=state["result"],
        confidence=state["confidence"],
        votes=_weighed(standing_votes(Kept(state["answers"], state["stated"]), asked), state["weights"]),
    )


def _weighed(stand: Sequence[Vote], weights: bytes) -> list[StandingVote]:
    """The votes that stand, by question and answer, with the weights that are kept in this order; NaN for the muted."""
    cast = sorted((vote.question, vote.answer_id, vote.label) for vote in stand if vote.label is not None)
    nats = np.frombuffer(weights, WEIGHT).tolist()
    pairs = zip(cast, nats, strict=False)
    return [StandingVote(answer, question, label, w) for (question, answer, label), w in pairs if not isnan(w)]
