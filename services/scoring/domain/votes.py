"""The votes of a task, one for each answer and question: which stand, and what is known of those who cast them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.scoring.domain.reliability import Record

# Doubles add multiples of 2^-20 exactly. So what a task puts into a rater's record can be taken out again without a
# residue, and the order of tasks does not show.
_CREDIT_STEPS = 1 << 20

VoteKey = tuple[UUID, int]
"""The answer, and the place of the question in the task."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What an answer says to one question, as scoring keeps it."""

    answer_id: UUID
    expert_id: UUID
    label: int | None
    """`None`: the expert could not assess it, which is no evidence for anything."""
    strength: int
    submitted_at: datetime
    record: Record
    """The rater's record, with what this task has put into it."""
    credit: float | None = None
    """How far this vote counts as correct in the rater's record; `None` while it does not count at all."""
    question: int = 0

    @property
    def key(self) -> VoteKey:
        """What tells this vote from all others."""
        return self.answer_id, self.question

    @property
    def counted(self) -> Record:
        """What this vote has put into the rater's record."""
        return Record() if self.credit is None else Record(self.credit, 1.0)


@dataclass(frozen=True, slots=True)
class Ballot:
    """What a standing vote says, and with how much evidence for its own label, in nats."""

    label: int
    strength: int
    weight: float


def standing(votes: Iterable[Vote]) -> list[Vote]:
    """The votes of each expert's latest answer, in the order of answer ids: whoever answers again replaces."""
    votes = list(votes)
    latest: dict[UUID, UUID] = {}
    for vote in sorted(votes, key=lambda vote: (vote.submitted_at, vote.answer_id)):
        latest[vote.expert_id] = vote.answer_id
    return sorted((vote for vote in votes if latest[vote.expert_id] == vote.answer_id), key=lambda vote: vote.key)


def records_elsewhere(votes: Iterable[Vote]) -> dict[UUID, Record]:
    """The record of each expert without this task, so that a task scored again is no evidence for itself."""
    records: dict[UUID, Record] = {}
    for vote in votes:
        records[vote.expert_id] = records.get(vote.expert_id, vote.record) - vote.counted
    return records


def credit(label: int, probabilities: Sequence[float]) -> float:
    """How far a vote of a closed task counts as correct: the probability of its label, in steps of 2^-20.

    The expected count of the M-step of Dawid and Skene (1979), by answer and question.
    """
    return round(probabilities[label] * _CREDIT_STEPS) / _CREDIT_STEPS


def record_changes(votes: Iterable[Vote], credits: Mapping[VoteKey, float]) -> dict[UUID, Record]:
    """What to add to each expert's record, so that it holds the new credits of this task instead of the old ones."""
    changes: dict[UUID, Record] = {}
    for vote in votes:
        earned = credits.get(vote.key)
        now = Record() if earned is None else Record(earned, 1.0)
        changes[vote.expert_id] = changes.get(vote.expert_id, Record()) + now - vote.counted
    return {expert_id: change for expert_id, change in changes.items() if change != Record()}
