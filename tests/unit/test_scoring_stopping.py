"""When to stop asking, why, and what follows."""

from math import exp
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1 import work_pb2
from preceptor.work.v1.work_pb2 import Question

from chassis.rpc.validation import violations_of
from services.scoring.aggregation.kinds.choice import overlap
from services.scoring.aggregation.types.aggregator import Stated
from services.scoring.aggregation.types.pairwise_preference import AGGREGATOR
from services.scoring.domain.consensus import Consensus, Finding
from services.scoring.domain.judging import Proposal
from services.scoring.domain.stopping import (
    AGREED,
    PRICE,
    InvalidRedundancy,
    Outcome,
    Reason,
    Redundancy,
    Verdict,
    agrees,
    greatest_weight,
    outcome,
)
from services.scoring.domain.votes import Ballot
from tests.support import findings

MORE, RESOLVED, UNRESOLVED = Verdict.MORE_WANTED, Verdict.RESOLVED, Verdict.UNRESOLVED
NOT_ASKED = 0.0
"""A stop_confidence that asks for none."""


def finding(
    confidence: float, votes: int = 2, *, unanimous: bool = False, worth: float = 1.0, abstained: int = 0
) -> Finding:
    """A question of three labels whose first is so sure; the others are alike."""
    rest = (1 - confidence) / 2
    ballots = [Ballot(0, 0)] * votes
    return Finding(Consensus(0, (confidence, rest, rest), worth, unanimous), ballots, abstained)


def saving(least: int, greatest: int, stop_confidence: float) -> Redundancy:
    """The rule of a vendor who asks for a confidence and states what else stops and counts, as the platform has it."""
    return Redundancy(least, greatest, stop_confidence, PRICE, min(AGREED, stop_confidence))


def leading_by(nats: float, votes: int) -> Finding:
    """A question whose first label leads either other one by so much evidence."""
    return finding(exp(nats) / (exp(nats) + 2), votes)


def of(asked: Finding, rule: Redundancy, answers: int | None = None, *, closed: bool = False) -> Outcome:
    """What follows for a task of one question; all its answers stand."""
    standing = asked.votes + asked.abstained if answers is None else answers
    return outcome([asked], standing, standing, rule, closed=closed)


@pytest.mark.parametrize(
    ("asked", "rule", "verdict", "reason"),
    [
        (finding(0.99, 1, unanimous=True), Redundancy(2, 5, 0.9), MORE, Reason.NONE),  # below the least number
        (finding(0.9), Redundancy(2, 5, 0.9), RESOLVED, Reason.CONFIDENT),
        (finding(0.89), Redundancy(2, 5, 0.9), MORE, Reason.NONE),
        (leading_by(3.7, 3), saving(2, 4, 0.9999), RESOLVED, Reason.SETTLED),
        (leading_by(3.6, 3), saving(2, 4, 0.9999), MORE, Reason.NONE),
        (finding(0.85, worth=0.9 * PRICE), saving(2, 5, 0.9), RESOLVED, Reason.NOT_WORTH_IT),
        (finding(0.75, worth=0.9 * PRICE), saving(2, 5, 0.9), UNRESOLVED, Reason.NOT_WORTH_IT),
        (finding(0.85, worth=1.1 * PRICE), saving(2, 5, 0.9), MORE, Reason.NONE),
        (finding(0.85, 1, worth=0.0), saving(2, 5, 0.9), MORE, Reason.NONE),
        (finding(0.75, 1, abstained=2), Redundancy(3, 5, 0.9), MORE, Reason.NONE),  # two more make three
        (finding(0.75, 1, abstained=3), Redundancy(3, 5, 0.9), UNRESOLVED, Reason.NO_QUORUM),  # one more makes two
        (finding(0.85, 1, abstained=3), saving(3, 5, 0.9), RESOLVED, Reason.NO_QUORUM),  # sure enough by itself
        (Finding(None, (), 3), Redundancy(3, 5, 0.9), UNRESOLVED, Reason.NO_QUORUM),
        (finding(0.85, 5), saving(2, 5, 0.9), RESOLVED, Reason.ALL_IN),
        (finding(0.75, 5), saving(2, 5, 0.9), UNRESOLVED, Reason.ALL_IN),
        (finding(0.75, 5), Redundancy(2, 5, 0.7), RESOLVED, Reason.ALL_IN),  # the vendor asks for no more
        (finding(0.6, 1, unanimous=True), Redundancy(1, 1, NOT_ASKED), RESOLVED, Reason.ALL_IN),  # who asks one gets it
    ],
)
def test_a_task_stops_where_it_is_sure_settled_not_worth_an_answer_or_has_all(
    asked: Finding, rule: Redundancy, verdict: Verdict, reason: Reason
) -> None:
    assert of(asked, rule)[:2] == (verdict, reason)


def test_nothing_is_settled_while_the_best_of_raters_could_still_turn_it() -> None:
    one = greatest_weight(3)
    assert of(leading_by(2.1 * one, 3), saving(2, 5, 0.9999)).reason is Reason.SETTLED  # two are to come
    assert of(leading_by(1.9 * one, 3), saving(2, 5, 0.9999)).reason is Reason.NONE


@pytest.mark.parametrize(
    "asked",
    [
        finding(0.873, 3, worth=0.0),  # not worth an answer
        finding(0.873, 3, unanimous=True, worth=0.0),
        leading_by(2 * greatest_weight(3) + 0.1, 3),  # settled
    ],
)
def test_where_a_confidence_is_asked_for_no_other_rule_stops_before_all_are_in(asked: Finding) -> None:
    assert of(asked, Redundancy(2, 5, 0.999)) == (MORE, Reason.NONE, 4)
    assert of(asked, Redundancy(2, 5, NOT_ASKED)).reason in (Reason.SETTLED, Reason.NOT_WORTH_IT)


@pytest.mark.parametrize("unanimous", [False, True])
def test_a_task_below_the_confidence_asked_for_is_not_resolved_unless_the_vendor_says_so(unanimous: bool) -> None:
    asked = finding(0.873, 5, unanimous=unanimous)
    assert of(asked, Redundancy(2, 5, 0.9))[:2] == (UNRESOLVED, Reason.ALL_IN)
    assert of(asked, Redundancy(2, 5, 0.9, agreed_confidence=0.8))[:2] == (RESOLVED, Reason.ALL_IN)
    assert of(asked, Redundancy(2, 5, 0.9, agreed_confidence=0.88))[:2] == (UNRESOLVED, Reason.ALL_IN)
    assert of(asked, Redundancy(2, 5, NOT_ASKED))[:2] == (RESOLVED, Reason.ALL_IN)


def test_where_no_confidence_is_asked_for_worth_and_agreement_decide() -> None:
    rule = Redundancy(2, 5, NOT_ASKED)
    assert of(finding(0.9999), rule) == (MORE, Reason.NONE, 3)
    assert of(finding(0.85, worth=0.9 * PRICE), rule)[:2] == (RESOLVED, Reason.NOT_WORTH_IT)
    assert of(finding(0.79, 5), rule)[:2] == (UNRESOLVED, Reason.ALL_IN)
    assert of(finding(0.79, 5, unanimous=True), rule)[:2] == (RESOLVED, Reason.ALL_IN)


def test_a_vendor_may_switch_off_what_stops_where_no_confidence_is_asked_for() -> None:
    rule = Redundancy(2, 5, NOT_ASKED, least_worth=0.0, agreed_confidence=0.95)
    assert of(finding(0.85, worth=0.0), rule)[:2] == (MORE, Reason.NONE)
    assert of(finding(0.9, 5, unanimous=True), rule)[:2] == (UNRESOLVED, Reason.ALL_IN)


@given(st.floats(0.34, 1), st.integers(1, 6), st.booleans(), st.floats(0, 1), st.integers(0, 3), st.floats(0.5, 0.999))
def test_no_task_is_ever_resolved_below_the_confidence_asked_for(
    confidence: float, votes: int, unanimous: bool, worth: float, abstained: int, stop: float
) -> None:
    asked = finding(confidence, votes, unanimous=unanimous, worth=worth, abstained=abstained)
    for closed in (False, True):
        follows = of(asked, Redundancy(2, 5, stop), closed=closed)
        assert (follows.verdict is RESOLVED) <= (confidence >= stop)
        assert follows.reason in (Reason.NONE, Reason.CONFIDENT, Reason.ALL_IN, Reason.NO_QUORUM)


def test_at_stop_confidence_one_all_answers_are_asked_however_sure_it_is() -> None:
    certain = finding(1.0, 49, unanimous=True, worth=0.0)
    assert of(certain, Redundancy(1, 50, 1.0)).verdict is MORE
    assert of(finding(1.0, 50, unanimous=True), Redundancy(1, 50, 1.0))[:2] == (RESOLVED, Reason.ALL_IN)


def test_three_fresh_raters_against_one_agree_and_two_against_one_do_not() -> None:
    def found(labels: str) -> Finding:
        said = [Stated("ATB".index(label)) for label in labels]
        return findings.found(AGGREGATOR, Question(id="preference"), said, remaining=5 - len(labels))

    rule = saving(2, 5, 0.95)
    assert agrees(found("AAAB"), rule)
    assert not agrees(found("AAB"), rule)
    assert of(found("AAB"), rule)[:2] == (MORE, Reason.NONE)
    assert of(found("AAAB"), rule)[:2] == (RESOLVED, Reason.NOT_WORTH_IT)  # the fifth could not outvote them


def test_the_price_of_an_answer_is_that_of_the_batch() -> None:
    assert PRICE == overlap.PRICE


def test_a_closed_task_is_not_opened_again_by_a_late_vote() -> None:
    rule = saving(2, 5, 0.9)
    assert of(finding(0.7, 3), rule).verdict is MORE
    assert of(finding(0.7, 3), rule, closed=True).verdict is UNRESOLVED
    assert of(finding(0.85, 3), rule, closed=True).verdict is RESOLVED


@pytest.mark.parametrize(
    ("seen", "votes", "expected"),
    [
        (1, 1, 3),  # the least number
        (2, 2, 3),
        (3, 3, 4),  # then one by one
        (4, 4, 5),
        (2, 1, 4),  # one expert answered twice: another vote is wanted in place of the first
    ],
)
def test_the_least_number_is_wanted_first_and_then_one_more_at_a_time(seen: int, votes: int, expected: int) -> None:
    follows = outcome([finding(0.5, votes)], seen, votes, Redundancy(3, 5, 0.9), closed=False)
    assert follows == (MORE, Reason.NONE, expected)


def test_a_task_that_stops_wants_what_it_has() -> None:
    assert of(finding(0.95, 4), Redundancy(3, 5, 0.9)).wanted == 4
    assert of(finding(0.5, 6), Redundancy(3, 5, 0.9)).wanted == 6


NAN = float("nan")


@pytest.mark.parametrize(
    "redundancy",
    [
        (0, 3, 0.9),
        (3, 2, 0.9),
        (1, 2, 0.4),
        (1, 2, 1.1),
        (1, 2, NAN),
        (1, 2, 0.9, -0.1),
        (1, 2, 0.9, 1.0),
        (1, 2, 0.9, NAN),
        (1, 2, 1.0, 0.1),  # all are asked for, so nothing may stop it
        (1, 2, 0.9, None, 0.91),  # at 0.9 it is resolved
        (1, 2, 0.0, None, 1.1),
        (1, 2, 0.0, None, NAN),
    ],
)
def test_a_redundancy_that_cannot_be_is_refused_here_and_by_the_contract(redundancy: tuple[Any, ...]) -> None:
    with pytest.raises(InvalidRedundancy):
        Redundancy(*redundancy)
    names = ("min_answers", "max_answers", "stop_confidence", "least_worth", "agreed_confidence")
    assert violations_of(work_pb2.Redundancy(**dict(zip(names, redundancy, strict=False))))


@given(
    st.integers(1, 3), st.integers(1, 3), st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    st.none() | st.sampled_from([0.0, 0.0002, 0.999]), st.none() | st.sampled_from([0.0, 0.4, 0.5, 0.9, 0.95, 1.0]),
)  # fmt: skip
def test_the_contract_and_the_domain_take_the_same_redundancies(
    least: int, greatest: int, stop: float, worth: float | None, agreed: float | None
) -> None:
    told = work_pb2.Redundancy(
        min_answers=least, max_answers=greatest, stop_confidence=stop, least_worth=worth, agreed_confidence=agreed
    )
    try:
        Redundancy(least, greatest, stop, worth, agreed)
    except InvalidRedundancy:
        assert violations_of(told)
    else:
        assert not violations_of(told)


def test_verdicts_proposals_and_reasons_have_the_numbers_of_the_contract() -> None:
    assert {f"VERDICT_{each.name}": each.value for each in Verdict} == dict(events_pb2.Verdict.items()[1:])
    assert {f"PROPOSAL_{each.name}": each.value for each in Proposal} == dict(events_pb2.Proposal.items()[1:])
    stop_reasons = {f"STOP_REASON_{each.name}": each.value for each in Reason if each}
    assert stop_reasons == dict(events_pb2.StopReason.items()[1:])


def test_a_task_is_resolved_when_each_of_its_questions_is_and_stops_for_what_was_asked_longest() -> None:
    rule = saving(2, 4, 0.9)
    sure, worthless, split = finding(0.95), finding(0.85, worth=0.0), finding(0.5)
    assert outcome([sure, sure], 2, 2, rule, closed=False) == (RESOLVED, Reason.CONFIDENT, 2)
    assert outcome([sure, worthless], 2, 2, rule, closed=False) == (RESOLVED, Reason.NOT_WORTH_IT, 2)
    assert outcome([sure, split], 2, 2, rule, closed=False) == (MORE, Reason.NONE, 3)
    assert outcome([finding(0.95, 4), finding(0.5, 4)], 4, 4, rule, closed=False) == (UNRESOLVED, Reason.ALL_IN, 4)


def test_a_vote_that_could_not_assess_is_wanted_again_as_long_as_a_quorum_can_come() -> None:
    rule = Redundancy(2, 4, 0.9)
    short = finding(0.95, 1, unanimous=True, abstained=1)
    assert outcome([finding(0.95), short], 2, 2, rule, closed=False) == (MORE, Reason.NONE, 3)
    nobody = Finding(None, (), 2)
    assert outcome([finding(0.95), nobody], 2, 2, rule, closed=False) == (MORE, Reason.NONE, 4)
    nobody = Finding(None, (), 3)
    assert outcome([finding(0.95, 3), nobody], 3, 3, rule, closed=False) == (UNRESOLVED, Reason.NO_QUORUM, 3)
    late = finding(0.7, 2, unanimous=True, abstained=2)
    assert outcome([finding(0.95, 4), late], 4, 4, rule, closed=False) == (UNRESOLVED, Reason.ALL_IN, 4)
    rule = Redundancy(2, 4, NOT_ASKED)
    assert outcome([finding(0.95, 4), late], 4, 4, rule, closed=False) == (RESOLVED, Reason.ALL_IN, 4)


@pytest.mark.parametrize("asked", [Finding(None, (), 4), finding(0.7, 1, unanimous=True, abstained=3)])
def test_what_too_few_could_assess_stays_open_in_the_end(asked: Finding) -> None:
    follows = outcome([finding(0.95, 4), asked], 4, 4, Redundancy(2, 4, 0.9), closed=False)
    assert follows[:2] == (UNRESOLVED, Reason.ALL_IN)
