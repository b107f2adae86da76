"""Fact check: each claim is a choice between supported, contradicted, unverifiable and opinion."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from preceptor.work.v1.fact_check_pb2 import (
    FACT_SEVERITY_UNSPECIFIED,
    FACT_VERDICT_CONTRADICTED,
    FACT_VERDICT_OPINION,
    FACT_VERDICT_SUPPORTED,
    FACT_VERDICT_UNVERIFIABLE,
    ClaimResult,
    FactCheckResult,
    FactSeverity,
)
from preceptor.work.v1.work_pb2 import Answer, Question, Result

from services.scoring.aggregation.types.aggregator import Aggregator, AnswerMisfit, Stated
from services.scoring.domain.consensus import Finding
from services.scoring.domain.votes import Ballot

# In the order of caution, which decides a draw: nothing is called true while as much speaks against it.
LABELS = ("CONTRADICTED", "UNVERIFIABLE", "OPINION", "SUPPORTED")
CONTRADICTED, UNVERIFIABLE, OPINION, SUPPORTED = range(4)
_VERDICTS = (
    FACT_VERDICT_CONTRADICTED,
    FACT_VERDICT_UNVERIFIABLE,
    FACT_VERDICT_OPINION,
    FACT_VERDICT_SUPPORTED,
)


def labels(_: Question) -> tuple[str, ...]:
    """The words of the four verdicts."""
    return LABELS


def read(answer: Answer, questions: Sequence[Question]) -> list[Stated]:
    """The verdict on each claim, with the severity as its strength. Raises `AnswerMisfit`."""
    verdicts = {verdict.claim_id: verdict for verdict in answer.fact_check.verdicts}
    stated: list[Stated] = []
    for question in questions:
        verdict = verdicts.get(question.id)
        if verdict is None or verdict.verdict not in _VERDICTS:
            raise AnswerMisfit(field="answer.fact_check.verdicts", question=question.id)
        stated.append(Stated(_VERDICTS.index(verdict.verdict), verdict.severity))
    return stated


def at_a_draw(_: Question, leaders: Sequence[int], __: Sequence[Ballot]) -> int:
    """The most cautious verdict."""
    return leaders[0]


def result(questions: Sequence[Question], findings: Sequence[Finding]) -> Result:
    """The result for the vendor."""
    claims = [_claim(question, found) for question, found in zip(questions, findings, strict=True)]
    factual = [claim.verdict for claim in claims if claim.verdict != FACT_VERDICT_OPINION]
    share = factual.count(FACT_VERDICT_SUPPORTED) / len(factual) if factual else None
    return Result(fact_check=FactCheckResult(claims=claims, supported_share=share))


def _claim(question: Question, found: Finding) -> ClaimResult:
    told = ClaimResult(claim_id=question.id, confidence=found.confidence)
    if found.consensus is not None:
        told.verdict = _VERDICTS[found.consensus.label]
        if found.consensus.label == CONTRADICTED:
            told.severity = _severity(found.ballots)
    return told


def _severity(ballots: Iterable[Ballot]) -> FactSeverity.ValueType:
    """The middle of the severities that go with a contradiction; the higher one of two."""
    stated = sorted(ballot.strength for ballot in ballots if ballot.label == CONTRADICTED)
    return FactSeverity.ValueType(stated[len(stated) // 2]) if stated else FACT_SEVERITY_UNSPECIFIED


AGGREGATOR = Aggregator(labels, read, at_a_draw, result)
