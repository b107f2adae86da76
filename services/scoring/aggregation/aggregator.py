"""What a kind of answer brings to be aggregated: four pure parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from preceptor.work.v1.work_pb2 import Answer, Result

from chassis.errors import InvalidArgument
from services.scoring.domain.consensus import Consensus
from services.scoring.domain.scoring import Aggregate
from services.scoring.domain.votes import Ballot


class AnswerMisfit(InvalidArgument):
    """The answer is not of the task's type, or lacks what the type must state."""

    reason = "ANSWER_MISFIT"


class Stated(NamedTuple):
    """What an answer says, for scoring: a label by number and, for preferences, how strongly."""

    label: int
    preference: int


@dataclass(frozen=True, slots=True)
class Aggregator:
    """How the answers of one task type are read, aggregated and told."""

    labels: tuple[str, ...]
    """The words of the labels, by number."""
    read: Callable[[Answer], Stated]
    """Reads an answer. Raises `AnswerMisfit`."""
    aggregate: Aggregate
    """Finds the consensus of the ballots."""
    result: Callable[[Consensus, Sequence[Ballot]], Result]
    """Tells a consensus as the result of the task type."""
