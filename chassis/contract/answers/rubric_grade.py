"""Rubric grade: one grade for each criterion, at a level of its scale, with passages that are in the response."""

from __future__ import annotations

from preceptor.work.v1.rubric_grade_pb2 import CriterionGrade, RubricCriterion, RubricGradePayload
from preceptor.work.v1.work_pb2 import Answer, Payload, Question

from chassis.contract.answers.rules import LevelOutsideScale, Rules, check_complete, check_length
from chassis.contract.answers.spans import check_span

_FIELD = "answer.rubric_grade.grades"
NOT_MET, MET = 0, 1
"""The levels of a criterion that states none."""


def check(payload: Payload, answer: Answer) -> None:
    """Raises `UnknownQuestion`, `QuestionRepeated`, `QuestionUnanswered`, `LevelOutsideScale`, `JustificationTooShort`,
    or what `check_span` raises.
    """
    asked, grades = payload.rubric_grade, answer.rubric_grade.grades
    criteria = {criterion.id: criterion for criterion in asked.criteria}
    check_complete(criteria, [grade.criterion_id for grade in grades], _FIELD, "criterion_id")
    for place, grade in enumerate(grades):
        _check_grade(asked, criteria[grade.criterion_id], grade, f"{_FIELD}[{place}]")


def _check_grade(asked: RubricGradePayload, criterion: RubricCriterion, grade: CriterionGrade, field: str) -> None:
    """A grade by itself. Only a level needs the rationale that the payload asks for."""
    if grade.HasField("level"):
        scale = levels(criterion)
        if grade.level not in scale:
            raise LevelOutsideScale(field=f"{field}.level", levels=", ".join(map(str, scale)))
        check_length(grade.rationale, asked.min_rationale_chars, f"{field}.rationale")
    for place, span in enumerate(grade.evidence):
        check_span(asked.response, span, f"{field}.evidence[{place}]")


def levels(criterion: RubricCriterion) -> list[int]:
    """The numbers of a criterion's levels, from the lowest."""
    return sorted(step.level for step in criterion.levels) or [NOT_MET, MET]


def questions(payload: Payload) -> list[Question]:
    """One question a criterion."""
    return [
        Question(id=criterion.id, weight=criterion.weight, critical=criterion.critical, levels=levels(criterion))
        for criterion in payload.rubric_grade.criteria
    ]


RULES = Rules(check, questions)
