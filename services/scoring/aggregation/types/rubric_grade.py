"""Rubric grade: each criterion is a choice between its levels and "not applicable"; weights make the total.

"Cannot assess" is no vote. "Not applicable" is a label of its own beside the scale: experts may agree or disagree on
it, but it is never between two levels, nor in their mean, nor in the total.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum
from operator import mul

from preceptor.work.v1.rubric_grade_pb2 import (
    NOT_GRADED_CANNOT_ASSESS,
    NOT_GRADED_NOT_APPLICABLE,
    CriterionGrade,
    CriterionResult,
    RubricGradeResult,
)
from preceptor.work.v1.work_pb2 import Answer, Question, Result

from services.scoring.aggregation.types.aggregator import Aggregator, AnswerMisfit, Stated
from services.scoring.domain.consensus import Finding
from services.scoring.domain.rubric import Grade, total
from services.scoring.domain.votes import Ballot

NOT_APPLICABLE = "NOT_APPLICABLE"
FINE = 5
"""From so many levels on, experts who see the same differ by one."""


def labels(question: Question) -> tuple[str, ...]:
    """The numbers of the levels from the lowest, then "NOT_APPLICABLE"."""
    return (*map(str, question.levels), NOT_APPLICABLE)


def read(answer: Answer, questions: Sequence[Question]) -> list[Stated]:
    """The grade by each criterion. Raises `AnswerMisfit`."""
    grades = {grade.criterion_id: grade for grade in answer.rubric_grade.grades}
    return [_stated(question, grades.get(question.id)) for question in questions]


def _stated(question: Question, grade: CriterionGrade | None) -> Stated:
    if grade is not None and grade.HasField("level") and grade.level in question.levels:
        return Stated(list(question.levels).index(grade.level))
    if grade is not None and grade.not_graded == NOT_GRADED_NOT_APPLICABLE:
        return Stated(len(question.levels))
    if grade is not None and grade.not_graded == NOT_GRADED_CANNOT_ASSESS:
        return Stated(None)
    raise AnswerMisfit(field="answer.rubric_grade.grades", question=question.id)


def at_a_draw(question: Question, leaders: Sequence[int], ballots: Sequence[Ballot]) -> int:
    """A level before "not applicable", and of levels the one nearest to the mean of the votes; of two alike near ones
    the lower, as a grade should not promise more than it has shown.
    """
    levels = [label for label in leaders if label < len(question.levels)]
    return _nearest(levels, question, ballots) if levels else leaders[0]


def _nearest(leaders: Sequence[int], question: Question, ballots: Sequence[Ballot]) -> int:
    """In whole numbers, so that alike near is exactly that: |level - mean| times the number of votes."""
    voted = [question.levels[ballot.label] for ballot in ballots if ballot.label < len(question.levels)]
    return min(leaders, key=lambda label: (abs(question.levels[label] * len(voted) - sum(voted)), label))


def result(questions: Sequence[Question], findings: Sequence[Finding]) -> Result:
    """The result for the vendor, with the total of the criteria that have a level."""
    pairs = list(zip(questions, findings, strict=True))
    summed = total(grade for question, found in pairs if (grade := _grade(question, found)))
    graded = RubricGradeResult(
        criteria=[_criterion(question, found) for question, found in pairs],
        total=summed.points,
        percent=summed.percent,
        critical_failures=summed.failures,
    )
    return Result(rubric_grade=graded)


def _grade(question: Question, found: Finding) -> Grade | None:
    """What a criterion adds to the total; nothing without a level."""
    if found.consensus is None or found.consensus.label == len(question.levels):
        return None
    lowest, highest = question.levels[0], question.levels[-1]
    share = (question.levels[found.consensus.label] - lowest) / (highest - lowest)
    return Grade(question.id, question.weight, share, question.critical)


def _criterion(question: Question, found: Finding) -> CriterionResult:
    told = CriterionResult(
        criterion_id=question.id, confidence=found.confidence, assessed=found.votes, cannot_assess=found.abstained
    )
    if found.consensus is None:
        return told
    *levels, not_applicable = found.consensus.probabilities
    told.probability_not_applicable = not_applicable
    if any(ballot.label < len(levels) for ballot in found.ballots):
        told.expected_level = fsum(map(mul, question.levels, levels)) / fsum(levels)
    if found.consensus.label < len(levels):
        told.level = question.levels[found.consensus.label]
    else:
        told.not_graded = NOT_GRADED_NOT_APPLICABLE
    return told


def right(question: Question, said: int, known: int) -> bool:
    """Whether a grade is right where another is known: on a scale of at least `FINE` levels its neighbour is, too."""
    on_scale = max(said, known) < len(question.levels)
    return said == known or (on_scale and len(question.levels) >= FINE and abs(said - known) == 1)


AGGREGATOR = Aggregator(labels, read, at_a_draw, result, right)
