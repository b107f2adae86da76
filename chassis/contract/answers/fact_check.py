"""Fact check: one verdict for each claim, with the sources that the payload asks for."""

from __future__ import annotations

from preceptor.work.v1.fact_check_pb2 import FACT_VERDICT_CONTRADICTED, FACT_VERDICT_SUPPORTED
from preceptor.work.v1.work_pb2 import Answer, Payload, Question

from chassis.contract.answers.rules import Rules, SourcesMissing, check_complete

_FIELD = "answer.fact_check.verdicts"
_SETTLED = (FACT_VERDICT_SUPPORTED, FACT_VERDICT_CONTRADICTED)


def check(payload: Payload, answer: Answer) -> None:
    """Raises `UnknownQuestion`, `QuestionRepeated`, `QuestionUnanswered` or `SourcesMissing`."""
    asked, verdicts = payload.fact_check, answer.fact_check.verdicts
    claims = [claim.id for claim in asked.claims]
    check_complete(claims, [verdict.claim_id for verdict in verdicts], _FIELD, "claim_id")
    for place, verdict in enumerate(verdicts):
        if verdict.verdict in _SETTLED and len(verdict.sources) < asked.min_sources:
            raise SourcesMissing(field=f"{_FIELD}[{place}].sources", least=str(asked.min_sources))


def questions(payload: Payload) -> list[Question]:
    """One question a claim."""
    return [Question(id=claim.id) for claim in payload.fact_check.claims]


RULES = Rules(check, questions)
