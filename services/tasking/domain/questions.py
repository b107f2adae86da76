"""What a vendor may decide about questions that experts could not settle."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from chassis.errors import FailedPrecondition, InvalidArgument


class QuestionNotOpen(FailedPrecondition):
    """Experts have settled the question, are still asked, or you have decided it: see ListResults for those that are
    open.
    """

    reason = "QUESTION_NOT_OPEN"


class UnknownLabel(InvalidArgument):
    """The question has no such label: the open question lists those that it has."""

    reason = "UNKNOWN_LABEL"


def check(decisions: Iterable[tuple[str, str]], asked: Mapping[str, Collection[str]]) -> None:
    """Whether each decision, a question and a label, is about another one of those asked, given with their labels.

    Raises `QuestionNotOpen` or `UnknownLabel`, naming the field.
    """
    left = dict(asked)
    for place, (question, label) in enumerate(decisions):
        labels = left.pop(question, None)
        if labels is None:
            raise QuestionNotOpen(field=f"decisions[{place}].question")
        if label not in labels:
            raise UnknownLabel(field=f"decisions[{place}].label", labels=", ".join(labels))
