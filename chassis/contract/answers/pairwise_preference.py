"""Pairwise preference: the criteria that an answer compares by are those of the payload; it need not use all."""

from __future__ import annotations

from preceptor.work.v1.work_pb2 import Answer, Payload, Question

from chassis.contract.answers.rules import Rules, check_known, check_length

_FIELD = "answer.pairwise_preference"
PREFERENCE = "preference"
"""The id of the one question that decides the task."""


def check(payload: Payload, answer: Answer) -> None:
    """Raises `UnknownQuestion`, `QuestionRepeated` or `JustificationTooShort`."""
    asked, given = payload.pairwise_preference, answer.pairwise_preference
    check_known(asked.criteria, [each.criterion for each in given.criteria], f"{_FIELD}.criteria", "criterion")
    check_length(given.justification, asked.min_justification_chars, f"{_FIELD}.justification")


def questions(_: Payload) -> list[Question]:
    """The overall preference alone. Preferences by criterion are the vendor's to read; they close no task."""
    return [Question(id=PREFERENCE)]


RULES = Rules(check, questions)
