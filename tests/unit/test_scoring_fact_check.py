"""Fact check: one of four verdicts for each claim."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preceptor.work.v1.fact_check_pb2 import (
    FACT_SEVERITY_CRITICAL,
    FACT_SEVERITY_MAJOR,
    FACT_SEVERITY_MINOR,
    FACT_SEVERITY_UNSPECIFIED,
    FACT_VERDICT_CONTRADICTED,
    FACT_VERDICT_OPINION,
    FACT_VERDICT_SUPPORTED,
    FACT_VERDICT_UNVERIFIABLE,
    FactCheckResult,
    FactVerdict,
)
from preceptor.work.v1.work_pb2 import Answer

from chassis.contract.answers import questions_of
from services.scoring.aggregation.types.aggregator import AnswerMisfit, Stated
from services.scoring.aggregation.types.fact_check import AGGREGATOR, LABELS
from tests.support.findings import findings, found
from tests.support.work import claims, verdicts

QUESTIONS = list(questions_of(claims("c1", "c2")).questions)
WORDS = {"C": "CONTRADICTED", "U": "UNVERIFIABLE", "O": "OPINION", "S": "SUPPORTED"}
OPINION, SUPPORTED = FACT_VERDICT_OPINION, FACT_VERDICT_SUPPORTED


def chosen(votes: str) -> str:
    """The verdict that votes like "SSC" of fresh raters lead to."""
    label = found(AGGREGATOR, QUESTIONS[0], [Stated(LABELS.index(WORDS[vote])) for vote in votes]).label
    assert label is not None
    return LABELS[label]


def result(*answers: Answer) -> FactCheckResult:
    return AGGREGATOR.result(QUESTIONS, findings(AGGREGATOR, QUESTIONS, answers)).fact_check


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [("S", "S"), ("SSC", "S"), ("SC", "C"), ("SU", "U"), ("SO", "O"), ("OU", "U"), ("SCUO", "C"), ("SSCC", "C")],
)
def test_the_most_probable_verdict_is_chosen_and_at_a_draw_the_more_cautious(votes: str, verdict: str) -> None:
    assert chosen(votes) == WORDS[verdict]


@settings(deadline=None)  # the first run compiles
@given(st.text("SCUO", min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_verdicts_does_not_show(votes: str, random: object) -> None:
    shuffled = "".join(sorted(votes, key=lambda _: random.random()))  # type: ignore[attr-defined]
    assert chosen(shuffled) == chosen(votes)


@pytest.mark.parametrize("misfit", [Answer(), verdicts(c1=OPINION), verdicts(c1=OPINION, c2=FactVerdict.ValueType(0))])
def test_an_answer_that_lacks_a_claim_or_its_verdict_is_refused(misfit: Answer) -> None:
    with pytest.raises(AnswerMisfit):
        AGGREGATOR.read(misfit, QUESTIONS)


def test_verdicts_are_read_in_the_order_of_the_claims() -> None:
    answer = verdicts(c2=FACT_VERDICT_CONTRADICTED, c1=FACT_VERDICT_UNVERIFIABLE)
    assert AGGREGATOR.read(answer, QUESTIONS) == [(1, FACT_SEVERITY_UNSPECIFIED), (0, FACT_SEVERITY_MAJOR)]


def test_a_contradicted_claim_has_the_middle_severity_and_no_other_claim_has_one() -> None:
    severities = (FACT_SEVERITY_MINOR, FACT_SEVERITY_CRITICAL, FACT_SEVERITY_MAJOR)
    told = result(*(verdicts(each, c1=FACT_VERDICT_CONTRADICTED, c2=SUPPORTED) for each in severities))
    assert [(claim.verdict, claim.severity) for claim in told.claims] == [
        (FACT_VERDICT_CONTRADICTED, FACT_SEVERITY_MAJOR),
        (SUPPORTED, FACT_SEVERITY_UNSPECIFIED),
    ]


def test_the_share_of_supported_claims_leaves_opinions_out() -> None:
    assert result(verdicts(c1=SUPPORTED, c2=OPINION)).supported_share == 1.0
    assert result(verdicts(c1=SUPPORTED, c2=FACT_VERDICT_UNVERIFIABLE)).supported_share == 0.5
    assert not result(verdicts(c1=OPINION, c2=OPINION)).HasField("supported_share")
