"""Small payloads and answers of the task types with several questions."""

from __future__ import annotations

from preceptor.work.v1.fact_check_pb2 import (
    FACT_SEVERITY_MAJOR,
    FACT_SEVERITY_UNSPECIFIED,
    FACT_VERDICT_CONTRADICTED,
    ClaimVerdict,
    FactCheckAnswer,
    FactCheckPayload,
    FactClaim,
    FactSeverity,
    FactSource,
    FactVerdict,
)
from preceptor.work.v1.rubric_grade_pb2 import (
    NOT_GRADED_CANNOT_ASSESS,
    NOT_GRADED_NOT_APPLICABLE,
    CriterionGrade,
    RubricCriterion,
    RubricGradeAnswer,
    RubricGradePayload,
    ScaleLevel,
)
from preceptor.work.v1.work_pb2 import Answer, Payload

SOURCE = FactSource(url="https://example.org/a", quote="It is so.")


def rubric() -> Payload:
    """Accuracy from 1 to 3 (weight 60, critical), tone from 1 to 5 (weight 40), and a flaw that is met or not (-20)."""
    criteria = [
        RubricCriterion(id="accuracy", text="Is it right?", weight=60, critical=True, levels=_scale(3)),
        RubricCriterion(id="tone", text="Is it kind?", weight=40, levels=_scale(5)),
        RubricCriterion(id="padding", text="Does it repeat itself?", weight=-20),
    ]
    return Payload(rubric_grade=RubricGradePayload(prompt="Why?", response="Because.", criteria=criteria))


def _scale(highest: int) -> list[ScaleLevel]:
    return [ScaleLevel(level=level, anchor=f"like {level}") for level in range(1, highest + 1)]


def grades(**given: int | str) -> Answer:
    """Grades by criterion: a level, "n/a" for not applicable, "?" for cannot assess."""
    return Answer(rubric_grade=RubricGradeAnswer(grades=[_grade(*each) for each in given.items()]))


def _grade(criterion: str, given: int | str) -> CriterionGrade:
    if isinstance(given, int):
        return CriterionGrade(criterion_id=criterion, level=given)
    not_graded = NOT_GRADED_NOT_APPLICABLE if given == "n/a" else NOT_GRADED_CANNOT_ASSESS
    return CriterionGrade(criterion_id=criterion, not_graded=not_graded)


def claims(*ids: str, min_sources: int = 0) -> Payload:
    """An answer with some claims."""
    checked = [FactClaim(id=each, text=f"Claim {each}.") for each in ids]
    return Payload(fact_check=FactCheckPayload(answer="It is so.", claims=checked, min_sources=min_sources))


def verdicts(severity: FactSeverity.ValueType = FACT_SEVERITY_MAJOR, **given: FactVerdict.ValueType) -> Answer:
    """Verdicts by claim, each with one source; `severity` is that of the contradicted ones."""
    return Answer(
        fact_check=FactCheckAnswer(
            verdicts=[
                ClaimVerdict(
                    claim_id=claim,
                    verdict=verdict,
                    sources=[SOURCE],
                    severity=severity if verdict == FACT_VERDICT_CONTRADICTED else FACT_SEVERITY_UNSPECIFIED,
                )
                for claim, verdict in given.items()
            ]
        )
    )
