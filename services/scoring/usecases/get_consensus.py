"""Reads what is known of a task: the consensus as it stands, and the votes it stands on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from chassis.db import Transaction
from chassis.errors import NotFound

if TYPE_CHECKING:
    import asyncpg

_STATE = """
SELECT task_type, questions, version, verdict, result, confidence FROM task_state WHERE task_id = $1 AND version > 0
"""

_VOTES = """
SELECT answer_id, question, label, weight FROM vote
WHERE task_id = $1 AND weight IS NOT NULL ORDER BY answer_id, question
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
    result: bytes
    confidence: float
    votes: Sequence[StandingVote]


async def get_consensus(tx: Transaction, task_id: UUID) -> TaskConsensus:
    """The consensus of a task, if the transaction's scope shows it. Raises `ConsensusNotFound`."""
    state = await tx.fetchrow(_STATE, task_id)
    if state is None:
        raise ConsensusNotFound
    votes = [_vote(row) for row in await tx.fetch(_VOTES, task_id)]
    return TaskConsensus(
        task_type=state["task_type"],
        questions=state["questions"],
        version=state["version"],
        verdict=state["verdict"],
        result=state["result"],
        confidence=state["confidence"],
        votes=votes,
    )


def _vote(row: asyncpg.Record) -> StandingVote:
    return StandingVote(row["answer_id"], row["question"], row["label"], row["weight"])
