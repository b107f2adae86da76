"""Whether an answer fits what was asked, beyond the rules on its own fields."""

from __future__ import annotations

import pytest
from preceptor.work.v1.fact_check_pb2 import FACT_VERDICT_OPINION, FACT_VERDICT_SUPPORTED, ClaimVerdict, FactSource
from preceptor.work.v1.pairwise_preference_pb2 import (
    CriterionPreference,
    PairwisePreferenceAnswer,
    PairwisePreferencePayload,
)
from preceptor.work.v1.rubric_grade_pb2 import RubricCriterion, ScaleLevel, Span
from preceptor.work.v1.work_pb2 import Answer, Payload

from chassis.contract.answers import check_answer, questions_of
from chassis.errors import InvalidArgument
from chassis.rpc.validation import violations_of
from tests.support.work import claims, grades, rubric, verdicts

GRADED = {"accuracy": 3, "tone": 5, "padding": 0}
PAIR = Payload(pairwise_preference=PairwisePreferencePayload(criteria=["clarity"], min_justification_chars=10))


def preference(justification: str = "A is clearer.", *criteria: str) -> Answer:
    by_criterion = [CriterionPreference(criterion=each, preference=1) for each in criteria]
    return Answer(
        pairwise_preference=PairwisePreferenceAnswer(preference=1, justification=justification, criteria=by_criterion)
    )


def refusal(payload: Payload, answer: Answer) -> tuple[str, str | None]:
    """The reason of a refusal and the field that it names."""
    with pytest.raises(InvalidArgument) as raised:
        check_answer(payload, answer)
    return raised.value.reason, raised.value.field


def with_evidence(start: int, end: int) -> Answer:
    answer = grades(**GRADED)
    answer.rubric_grade.grades[1].evidence.append(Span(start=start, end=end))
    return answer


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (PAIR, preference("A is clearer.", "clarity")),
        (PAIR, preference()),
        (rubric(), grades(**GRADED)),
        (rubric(), grades(padding=1, tone="n/a", accuracy="?")),
        (rubric(), with_evidence(0, len("Because."))),
        (claims("c1", "c2"), verdicts(c2=FACT_VERDICT_SUPPORTED, c1=FACT_VERDICT_OPINION)),
        (claims("c1", min_sources=1), verdicts(c1=FACT_VERDICT_SUPPORTED)),
    ],
)
def test_an_answer_that_fits_is_taken(payload: Payload, answer: Answer) -> None:
    check_answer(payload, answer)
    assert violations_of(answer) == []


@pytest.mark.parametrize(
    ("payload", "answer", "reason", "field"),
    [
        (rubric(), preference(), "ANSWER_TYPE_MISMATCH", "answer"),
        (rubric(), Answer(), "ANSWER_TYPE_MISMATCH", "answer"),
        (PAIR, preference("Short"), "JUSTIFICATION_TOO_SHORT", "pairwise_preference.justification"),
        (PAIR, preference("A is clearer.", "wit"), "UNKNOWN_QUESTION", "pairwise_preference.criteria[0].criterion"),
        (rubric(), grades(**GRADED, wit=1), "UNKNOWN_QUESTION", "rubric_grade.grades[3].criterion_id"),
        (rubric(), grades(accuracy=3, tone=5), "QUESTION_UNANSWERED", "rubric_grade.grades"),
        (rubric(), grades(**{**GRADED, "tone": 6}), "LEVEL_OUTSIDE_SCALE", "rubric_grade.grades[1].level"),
        (rubric(), grades(**{**GRADED, "tone": 0}), "LEVEL_OUTSIDE_SCALE", "rubric_grade.grades[1].level"),
        (rubric(), grades(**{**GRADED, "padding": 2}), "LEVEL_OUTSIDE_SCALE", "rubric_grade.grades[2].level"),
        (rubric(), with_evidence(3, 9), "SPAN_OUTSIDE_TEXT", "rubric_grade.grades[1].evidence[0].end"),
        (claims("c1"), verdicts(c2=FACT_VERDICT_OPINION), "UNKNOWN_QUESTION", "fact_check.verdicts[0].claim_id"),
        (claims("c1", "c2"), verdicts(c2=FACT_VERDICT_OPINION), "QUESTION_UNANSWERED", "fact_check.verdicts"),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_a_stable_reason_and_the_field(
    payload: Payload, answer: Answer, reason: str, field: str
) -> None:
    assert refusal(payload, answer) == (reason, field if field == "answer" else f"answer.{field}")


def test_a_question_is_answered_once() -> None:
    answer = grades(**GRADED)
    answer.rubric_grade.grades.append(answer.rubric_grade.grades[0])
    assert refusal(rubric(), answer) == ("QUESTION_REPEATED", "answer.rubric_grade.grades[3].criterion_id")


def test_settled_verdicts_need_the_sources_that_the_payload_asks_for() -> None:
    payload = claims("c1", "c2", min_sources=2)
    answer = verdicts(c1=FACT_VERDICT_OPINION, c2=FACT_VERDICT_SUPPORTED)
    assert refusal(payload, answer) == ("SOURCES_MISSING", "answer.fact_check.verdicts[1].sources")


def test_a_level_needs_the_rationale_that_the_payload_asks_for_and_no_level_needs_none() -> None:
    payload = rubric()
    payload.rubric_grade.min_rationale_chars = 5
    assert refusal(payload, grades(**GRADED)) == (
        "JUSTIFICATION_TOO_SHORT",
        "answer.rubric_grade.grades[0].rationale",
    )
    check_answer(payload, grades(accuracy="?", tone="n/a", padding="?"))


def test_questions_carry_what_scoring_needs_and_no_text() -> None:
    asked = questions_of(rubric()).questions
    assert [(each.id, each.weight, each.critical, list(each.levels)) for each in asked] == [
        ("accuracy", 60, True, [1, 2, 3]),
        ("tone", 40, False, [1, 2, 3, 4, 5]),
        ("padding", -20, False, [0, 1]),
    ]
    assert [each.id for each in questions_of(claims("c1", "c2")).questions] == ["c1", "c2"]
    assert [each.id for each in questions_of(PAIR).questions] == ["preference"]


def broken(payload: Payload) -> list[str]:
    return [message for _, message in violations_of(payload)]


def test_the_contract_refuses_rubrics_that_cannot_be_graded() -> None:
    assert broken(rubric()) == []
    twice = rubric()
    twice.rubric_grade.criteria[1].id = "accuracy"
    assert broken(twice) == ["each criterion needs an id of its own"]
    lone = RubricCriterion(id="lone", text="?", weight=1, levels=[ScaleLevel(level=1, anchor="like 1")])
    flawed = rubric()
    flawed.rubric_grade.criteria.append(lone)
    assert broken(flawed) == ["a scale has none or at least two levels, each with a number of its own"]
    flaws = rubric()
    del flaws.rubric_grade.criteria[:2]
    assert broken(flaws) == ["at least one criterion needs a weight above 0"]


def test_the_contract_wants_a_severity_with_a_contradiction_and_with_nothing_else() -> None:
    message = "a contradicted claim needs a severity, and no other has one"
    for verdict, severity, expected in ((2, 1, []), (2, 0, [message]), (1, 1, [message]), (1, 0, [])):
        claim = ClaimVerdict(claim_id="c1", verdict=verdict, severity=severity)  # type: ignore[arg-type]
        assert [text for _, text in violations_of(claim)] == expected


def test_the_contract_wants_sources_on_the_web() -> None:
    assert violations_of(FactSource(url="https://example.org", quote="x")) == []
    assert [field for field, _ in violations_of(FactSource(url="javascript:alert(1)", quote="x"))] == ["url"]
