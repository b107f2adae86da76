"""What a kind of answer brings to be aggregated: four pure parts. Questions are those of the answer's event."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from preceptor.work.v1.work_pb2 import Answer, Question, Result

from chassis.errors import InvalidArgument
from services.scoring.domain.consensus import Finding
from services.scoring.domain.votes import Ballot


class AnswerMisfit(InvalidArgument):
    """The answer is not of the task's type, or lacks what the type must state."""

    reason = "ANSWER_MISFIT"


class Stated(NamedTuple):
    """What an answer says to a question: a label by number, and a strength where the type has one.

    The label is `None` where the expert could not assess the question.
    """

    label: int | None
    strength: int = 0


@dataclass(frozen=True, slots=True)
class Aggregator:
    """How the answers of one task type are read, aggregated and told."""

    labels: Callable[[Question], tuple[str, ...]]
    """The words of a question's labels, by number."""
    read: Callable[[Answer, Sequence[Question]], list[Stated]]
    """Reads an answer: what it says to each question, in their order. Raises `AnswerMisfit`."""
    at_a_draw: Callable[[Question, Sequence[int], Sequence[Ballot]], int]
    """Which of the labels of a question is told that lead together, given at least one ballot."""
    result: Callable[[Sequence[Question], Sequence[Finding]], Result]
    """Tells what is found of each question as the result of the task type."""
    right: Callable[[Question, int, int], bool] = lambda _, said, known: said == known
    """Whether a label is right where another one is known to be: where a scale is fine, its neighbour may be, too."""
    subjective: bool = False
    """Whether good experts may differ for good, so that disagreement is a finding and no fault of the question."""
