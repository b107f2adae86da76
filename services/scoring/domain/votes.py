"""The votes of a task, one for each answer and question."""

from __future__ import annotations

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
    hold_ms: int = 0
    """Milliseconds for which the answer's task was held; 0 if that is not known."""

    @property
    def key(self) -> VoteKey:
        """What tells this vote from all others."""
        return self.answer_id, self.question


class Ballot(NamedTuple):
    """What a standing vote says that names a label."""

    label: int
    strength: int
