"""What a task type brings to have its answers checked, and the reasons for which an answer is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from preceptor.work.v1.work_pb2 import Answer, Payload, Question

from chassis.errors import InvalidArgument


class AnswerTypeMismatch(InvalidArgument):
    """The answer is not of the task's type."""

    reason = "ANSWER_TYPE_MISMATCH"


class UnknownQuestion(InvalidArgument):
    """The answer speaks of a criterion or claim that the task does not have."""

    reason = "UNKNOWN_QUESTION"


class QuestionRepeated(InvalidArgument):
    """The answer speaks of a criterion or claim twice."""

    reason = "QUESTION_REPEATED"


class QuestionUnanswered(InvalidArgument):
    """The answer leaves out a criterion or claim: each needs one entry."""

    reason = "QUESTION_UNANSWERED"


class LevelOutsideScale(InvalidArgument):
    """The criterion's scale has no such level."""

    reason = "LEVEL_OUTSIDE_SCALE"


class SpanOutsideText(InvalidArgument):
    """The passage ends after the text does."""

    reason = "SPAN_OUTSIDE_TEXT"


class SpanQuoteMismatch(InvalidArgument):
    """The passage is not what its quote says. Positions count Unicode code points of the raw text: convert them, and
    quote the raw text.
    """

    reason = "SPAN_QUOTE_MISMATCH"


class SpanQuoteMissing(InvalidArgument):
    """The text has characters that some count as one and others as two: quote the passage, to show that you mean it."""

    reason = "SPAN_QUOTE_MISSING"


class JustificationTooShort(InvalidArgument):
    """The task asks for a longer justification."""

    reason = "JUSTIFICATION_TOO_SHORT"


class SourcesMissing(InvalidArgument):
    """The task asks for more sources with such a verdict."""

    reason = "SOURCES_MISSING"


@dataclass(frozen=True, slots=True)
class Rules:
    """How the answers of one task type are held against their payload."""

    check: Callable[[Payload, Answer], None]
    """Raises why an answer does not fit; both are of the type."""
    questions: Callable[[Payload], list[Question]]
    """The questions that a payload asks, in its order."""


def check_known(asked: Collection[str], given: Sequence[str], field: str, key: str) -> None:
    """Each entry of the answer is about something that was asked, and no two are about the same.

    `field` is the list in the answer, `key` the field of an entry. Raises `UnknownQuestion` or `QuestionRepeated`.
    """
    times: Counter[str] = Counter()
    for place, question in enumerate(given):
        at = f"{field}[{place}].{key}"
        times[question] += 1
        if question not in asked:
            raise UnknownQuestion(field=at, question=question)
        if times[question] > 1:
            raise QuestionRepeated(field=at, question=question)


def check_complete(asked: Collection[str], given: Sequence[str], field: str, key: str) -> None:
    """Like `check_known`, and nothing is left out. Raises what it raises, and `QuestionUnanswered`."""
    check_known(asked, given, field, key)
    if left_out := [question for question in asked if question not in given]:
        raise QuestionUnanswered(field=field, questions=", ".join(left_out))


def check_length(text: str, least: int, field: str) -> None:
    """Raises `JustificationTooShort` for fewer than `least` characters, spaces around them not counted."""
    if len(text.strip()) < least:
        raise JustificationTooShort(field=field, least=str(least))
