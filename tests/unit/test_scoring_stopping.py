"""When to stop asking, why, and what follows."""

from math import exp

import pytest
from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation import overlap
from services.scoring.aggregation.aggregator import Stated
from services.scoring.aggregation.pairwise_preference import AGGREGATOR
from services.scoring.domain.consensus import Consensus, Finding
from services.scoring.domain.judging import Proposal
from services.scoring.domain.stopping import (
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


def finding(
    confidence: float, votes: int = 2, *, unanimous: bool = False, worth: float = 1.0, abstained: int = 0
) -> Finding:
    """A question of three labels whose first is so sure; the others are alike."""
    rest = (1 - confidence) / 2
    ballots = [Ballot(0, 0)] * votes
    return Finding(Consensus(0, (confidence, rest, rest), worth, unanimous), ballots, abstained)


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
        (leading_by(3.7, 3), Redundancy(2, 4, 0.9999), RESOLVED, Reason.SETTLED),
        (leading_by(3.6, 3), Redundancy(2, 4, 0.9999), MORE, Reason.NONE),
        (finding(0.85, worth=0.9 * PRICE), Redundancy(2, 5, 0.9), RESOLVED, Reason.NOT_WORTH_IT),
        (finding(0.75, worth=0.9 * PRICE), Redundancy(2, 5, 0.9), UNRESOLVED, Reason.NOT_WORTH_IT),
        (finding(0.85, worth=1.1 * PRICE), Redundancy(2, 5, 0.9), MORE, Reason.NONE),
        (finding(0.85, 1, worth=0.0), Redundancy(2, 5, 0.9), MORE, Reason.NONE),
        (finding(0.75, 1, abstained=2), Redundancy(3, 5, 0.9), MORE, Reason.NONE),  # two more make three
        (finding(0.75, 1, abstained=3), Redundancy(3, 5, 0.9), UNRESOLVED, Reason.NO_QUORUM),  # one more makes two
        (finding(0.85, 1, abstained=3), Redundancy(3, 5, 0.9), RESOLVED, Reason.NO_QUORUM),  # sure enough by itself
        (Finding(None, (), 3), Redundancy(3, 5, 0.9), UNRESOLVED, Reason.NO_QUORUM),
        (finding(0.85, 5), Redundancy(2, 5, 0.9), RESOLVED, Reason.ALL_IN),
        (finding(0.75, 5), Redundancy(2, 5, 0.9), UNRESOLVED, Reason.ALL_IN),
        (finding(0.75, 5), Redundancy(2, 5, 0.7), RESOLVED, Reason.ALL_IN),  # the vendor asks for no more
        (finding(0.6, 1, unanimous=True), Redundancy(1, 1, 0.9), RESOLVED, Reason.ALL_IN),  # who asks for one gets it
    ],
)
def test_a_task_stops_where_it_is_sure_settled_not_worth_an_answer_or_has_all(
    asked: Finding, rule: Redundancy, verdict: Verdict, reason: Reason
) -> None:
    assert of(asked, rule)[:2] == (verdict, reason)


def test_nothing_is_settled_while_the_best_of_raters_could_still_turn_it() -> None:
    one = greatest_weight(3)
    assert of(leading_by(2.1 * one, 3), Redundancy(2, 5, 0.9999)).reason is Reason.SETTLED  # two are to come
    assert of(leading_by(1.9 * one, 3), Redundancy(2, 5, 0.9999)).reason is Reason.NONE


def test_at_stop_confidence_one_all_answers_are_asked_however_sure_it_is() -> None:
    certain = finding(1.0, 49, unanimous=True, worth=0.0)
    assert of(certain, Redundancy(1, 50, 1.0)).verdict is MORE
    assert of(finding(1.0, 50, unanimous=True), Redundancy(1, 50, 1.0))[:2] == (RESOLVED, Reason.ALL_IN)


def test_three_fresh_raters_against_one_agree_and_two_against_one_do_not() -> None:
    def found(labels: str) -> Finding:
        said = [Stated("ATB".index(label)) for label in labels]
        return findings.found(AGGREGATOR, Question(id="preference"), said, remaining=5 - len(labels))

    rule = Redundancy(2, 5, 0.95)
    assert agrees(found("AAAB"), rule)
    assert not agrees(found("AAB"), rule)
    assert of(found("AAB"), rule)[:2] == (MORE, Reason.NONE)
    assert of(found("AAAB"), rule)[:2] == (RESOLVED, Reason.NOT_WORTH_IT)  # the fifth could not outvote them


def test_the_price_of_an_answer_is_that_of_the_batch() -> None:
    assert PRICE == overlap.PRICE


def test_a_closed_task_is_not_opened_again_by_a_late_vote() -> None:
    rule = Redundancy(2, 5, 0.9)
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


@pytest.mark.parametrize("redundancy", [(0, 3, 0.9), (3, 2, 0.9), (1, 2, 0.4), (1, 2, 1.1)])
def test_a_redundancy_that_cannot_be_is_refused(redundancy: tuple[int, int, float]) -> None:
    with pytest.raises(InvalidRedundancy):
        Redundancy(*redundancy)


def test_verdicts_proposals_and_reasons_have_the_numbers_of_the_contract() -> None:
    assert {f"VERDICT_{each.name}": each.value for each in Verdict} == dict(events_pb2.Verdict.items()[1:])
    assert {f"PROPOSAL_{each.name}": each.value for each in Proposal} == dict(events_pb2.Proposal.items()[1:])
    stop_reasons = {f"STOP_REASON_{each.name}": each.value for each in Reason if each}
    assert stop_reasons == dict(events_pb2.StopReason.items()[1:])


def test_a_task_is_resolved_when_each_of_its_questions_is_and_stops_for_what_was_asked_longest() -> None:
    rule = Redundancy(2, 4, 0.9)
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
    assert outcome([finding(0.95, 4), late], 4, 4, rule, closed=False) == (RESOLVED, Reason.ALL_IN, 4)


@pytest.mark.parametrize("asked", [Finding(None, (), 4), finding(0.7, 1, unanimous=True, abstained=3)])
def test_what_too_few_could_assess_stays_open_in_the_end(asked: Finding) -> None:
    follows = outcome([finding(0.95, 4), asked], 4, 4, Redundancy(2, 4, 0.9), closed=False)
    assert follows[:2] == (UNRESOLVED, Reason.ALL_IN)
