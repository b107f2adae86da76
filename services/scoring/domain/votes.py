"""The votes of a task, one for each answer and question: and which of them stand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

VoteKey = tuple[UUID, int]
"""The answer, and the place of the question in the task."""


class Vote(NamedTuple):
    """What an answer says to one question, as scoring keeps it. There are many: a tuple is what costs least."""

    answer_id: UUID
    question: int
    expert_id: UUID
    label: int | None
    """`None`: the expert could not assess it, which is no evidence for anything."""
    strength: int
    submitted_at: datetime
    known: bool = False
    """Whether it was there when its task was scored last."""
    seconds: int = 0
    """Of active work on the whole answer; 0 if that is not known."""

    @property
    def key(self) -> VoteKey:
        """What tells this vote from all others."""
        return self.answer_id, self.question


class Ballot(NamedTuple):
    """What a standing vote says, and with how much evidence for its own label, in nats, by the rater's record."""

    label: int
    strength: int
    weight: float


def standing(votes: Sequence[Vote]) -> list[Vote]:
    """The votes of each expert's latest answer, in their order: whoever answers again replaces."""
    latest: dict[UUID, Vote] = {}
    for vote in votes:
        known = latest.setdefault(vote.expert_id, vote)
        if (vote.submitted_at, vote.answer_id) > (known.submitted_at, known.answer_id):
            latest[vote.expert_id] = vote
    stand = {vote.answer_id for vote in latest.values()}
    return [vote for vote in votes if vote.answer_id in stand]
