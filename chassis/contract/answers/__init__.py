"""Whether an answer fits what was asked, beyond the rules on its own fields; and which questions a payload asks.

The contracts state what holds within one message; what holds between a payload and its answer is stated here, one file
a task type, pure. It belongs to what the contracts mean and to no service: tasking refuses by it, scoring's questions
come from it, a tool that writes examples or gold keys checks them by it.
"""

from __future__ import annotations

from collections.abc import Mapping

from preceptor.work.v1.work_pb2 import (
    TASK_TYPE_FACT_CHECK,
    TASK_TYPE_PAIRWISE_PREFERENCE,
    TASK_TYPE_RUBRIC_GRADE,
    Answer,
    Payload,
    Questions,
    TaskType,
)

from chassis.contract.answers import fact_check, pairwise_preference, rubric_grade
from chassis.contract.answers.rules import AnswerTypeMismatch, Rules
from chassis.contract.work import answer_fits, task_type_of

RULES: Mapping[TaskType.ValueType, Rules] = {
    TASK_TYPE_PAIRWISE_PREFERENCE: pairwise_preference.RULES,
    TASK_TYPE_RUBRIC_GRADE: rubric_grade.RULES,
    TASK_TYPE_FACT_CHECK: fact_check.RULES,
}


def check_answer(payload: Payload, answer: Answer) -> None:
    """Raises `AnswerTypeMismatch`, or an error of the task type that names the field at fault.

    Both messages keep the rules on their own fields.
    """
    if not answer_fits(payload, answer):
        raise AnswerTypeMismatch(field="answer")
    RULES[task_type_of(payload)].check(payload, answer)


def questions_of(payload: Payload) -> Questions:
    """The questions that a payload asks, without their texts."""
    return Questions(questions=RULES[task_type_of(payload)].questions(payload))
