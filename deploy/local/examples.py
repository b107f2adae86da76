"""The tasks in `examples/`: what is asked, what is known to be right and why, and an answer that says exactly that.

One JSON object a line: `item_key`, `domain` (the words of the contract without their prefix), `payload` in the
contract's JSON, `truth`, `why`, and `gold` where the task may be handed out to check an expert. The truth of a
preference is its side, of every other type an object from question to level, verdict or "NOT_APPLICABLE".
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf import json_format
from preceptor.work.v1 import fact_check_pb2, pairwise_preference_pb2, rubric_grade_pb2
from preceptor.work.v1.work_pb2 import Answer, Domain, Payload

Label: TypeAlias = "str | int"
"""A side, a level, a verdict, or "NOT_APPLICABLE"."""

_STRENGTH = {"A": -2, "TIE": 0, "B": 2}
_SOURCE = "https://example.org/known"


@dataclass(frozen=True, slots=True)
class Example:
    """A task whose right answer is known."""

    item_key: str
    domain: Domain.ValueType
    payload: Payload
    truth: Mapping[str, Label]
    """The right label of each question."""
    why: str
    gold: bool


def read_examples(path: Path) -> list[Example]:
    """Reads a file of examples. Raises KeyError, ValueError or `json_format.ParseError` for a line that is none."""
    return [_example(json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines() if line]


def answer_of(payload: Payload, labels: Mapping[str, Label], why: str) -> Answer:
    """The answer that gives these labels to the questions of a payload, for the reason `why`."""
    return _ANSWERS[str(payload.WhichOneof("type"))](labels, why)


def _example(row: dict[str, Any]) -> Example:
    truth = row["truth"]
    return Example(
        item_key=row["item_key"],
        domain=Domain.Value(f"DOMAIN_{row['domain']}"),
        payload=json_format.ParseDict(row["payload"], Payload()),
        truth=truth if isinstance(truth, dict) else {"preference": truth},
        why=row["why"],
        gold=row.get("gold", False),
    )


def _preference(labels: Mapping[str, Label], why: str) -> Answer:
    strength = _STRENGTH[str(labels["preference"])]
    told = pairwise_preference_pb2.PairwisePreferenceAnswer(preference=strength, justification=why)
    return Answer(pairwise_preference=told)


def _grades(labels: Mapping[str, Label], why: str) -> Answer:
    grades = [_grade(criterion, label, why) for criterion, label in labels.items()]
    return Answer(rubric_grade=rubric_grade_pb2.RubricGradeAnswer(grades=grades))


def _grade(criterion: str, label: Label, why: str) -> rubric_grade_pb2.CriterionGrade:
    grade = rubric_grade_pb2.CriterionGrade(criterion_id=criterion, rationale=why)
    if isinstance(label, int):
        grade.level = label
    else:
        grade.not_graded = rubric_grade_pb2.NotGraded.Value(f"NOT_GRADED_{label}")
    return grade


def _verdicts(labels: Mapping[str, Label], why: str) -> Answer:
    verdicts = [_verdict(claim, label, why) for claim, label in labels.items()]
    return Answer(fact_check=fact_check_pb2.FactCheckAnswer(verdicts=verdicts))


def _verdict(claim: str, label: Label, why: str) -> fact_check_pb2.ClaimVerdict:
    verdict = fact_check_pb2.FactVerdict.Value(f"FACT_VERDICT_{label}")
    told = fact_check_pb2.ClaimVerdict(claim_id=claim, verdict=verdict, comment=why)
    if verdict == fact_check_pb2.FACT_VERDICT_CONTRADICTED:
        told.severity = fact_check_pb2.FACT_SEVERITY_MAJOR
    if verdict in (fact_check_pb2.FACT_VERDICT_CONTRADICTED, fact_check_pb2.FACT_VERDICT_SUPPORTED):
        told.sources.add(url=_SOURCE, quote=why)
    return told


_ANSWERS: Mapping[str, Callable[[Mapping[str, Label], str], Answer]] = {
    "pairwise_preference": _preference,
    "rubric_grade": _grades,
    "fact_check": _verdicts,
}
