"""When to stop asking, and what follows."""

from uuid import UUID

import pytest
from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation.pairwise_preference import AGGREGATOR
from services.scoring.domain.consensus import Consensus, Finding
from services.scoring.domain.judging import Proposal
from services.scoring.domain.reliability import greatest_weight
from services.scoring.domain.stopping import InvalidRedundancy, Redundancy, Verdict, answers_wanted, verdict
from services.scoring.domain.votes import Ballot

MORE, RESOLVED, UNRESOLVED = Verdict.MORE_WANTED, Verdict.RESOLVED, Verdict.UNRESOLVED
FRESH = 1.791759469228055
WORDS = {"A": -1, "T": 0, "B": 1}


def consensus(votes: str, weight: float = FRESH) -> Consensus:
    """The consensus of votes like "AAB", each with so many nats."""
    return AGGREGATOR.aggregate(
        Question(id="preference"), [Ballot(WORDS[word] + 1, WORDS[word], weight) for word in votes]
    )


def finding(votes: str, weight: float = FRESH, *, abstained: int = 0) -> Finding:
    """What votes like "AAB" say of a question; empty if nobody could assess it."""
    ballots = {UUID(int=n): Ballot(WORDS[word] + 1, WORDS[word], weight) for n, word in enumerate(votes)}
    return Finding(consensus(votes, weight) if votes else None, ballots, abstained)


def one(votes: str, rule: Redundancy, *, closed: bool = False, weight: float = FRESH) -> Verdict:
    """The verdict on a task of one question, which every answer assesses."""
    return verdict([finding(votes, weight)], len(votes), rule, closed=closed)


@pytest.mark.parametrize(
    ("votes", "rule", "expected"),
    [
        ("A", Redundancy(2, 5, 0.9), MORE),  # below the least number, whatever the confidence
        ("A", Redundancy(2, 5, 0.5), MORE),
        ("AA", Redundancy(2, 5, 0.9), RESOLVED),  # 0.947
        ("AA", Redundancy(2, 5, 0.95), MORE),
        ("AAA", Redundancy(2, 5, 0.95), RESOLVED),  # 0.991
        ("AAB", Redundancy(2, 5, 0.9), MORE),  # 0.837
        ("AABBA", Redundancy(2, 5, 0.9), UNRESOLVED),  # the greatest number, still 0.837
        ("AABBA", Redundancy(2, 5, 0.8), RESOLVED),
        ("AB", Redundancy(2, 2, 0.9), UNRESOLVED),
        ("A", Redundancy(1, 1, 0.9), RESOLVED),  # who asks for one answer gets it: unanimous
        ("AA", Redundancy(2, 2, 0.99), RESOLVED),
    ],
)
def test_a_task_stops_when_the_vendors_confidence_or_the_greatest_number_is_reached(
    votes: str, rule: Redundancy, expected: Verdict
) -> None:
    assert one(votes, rule) is expected


def test_at_stop_confidence_one_all_answers_are_asked() -> None:
    certain = consensus("A" * 49, greatest_weight(3))
    assert certain.confidence == 1.0
    assert one("A" * 49, Redundancy(1, 50, 1.0), weight=greatest_weight(3)) is MORE
    assert one("A" * 50, Redundancy(1, 50, 1.0)) is RESOLVED


@pytest.mark.parametrize(("votes", "expected"), [("AAAAB", RESOLVED), ("AAABB", UNRESOLVED)])
def test_when_all_are_asked_agreement_is_nine_tenths(votes: str, expected: Verdict) -> None:
    assert one(votes, Redundancy(5, 5, 1.0)) is expected


def test_a_task_stops_when_the_remaining_answers_could_not_change_the_leader() -> None:
    rule = Redundancy(2, 4, 0.9999)
    assert one("AAA", rule) is RESOLVED  # leads by 5.4 nats; one rater brings at most 3.6
    assert one("AA", rule) is MORE  # two raters bring 7.3
    assert one("AAAB", Redundancy(2, 6, 0.9999)) is MORE


def test_a_closed_task_is_not_opened_again_by_a_late_vote() -> None:
    rule = Redundancy(2, 5, 0.9)
    assert one("AAB", rule) is MORE
    assert one("AAB", rule, closed=True) is UNRESOLVED
    assert one("AABA", rule, closed=True) is RESOLVED


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
    assert answers_wanted(MORE, seen, votes, [finding("A" * votes)], Redundancy(3, 5, 0.9)) == expected


def test_a_closed_task_wants_what_it_has() -> None:
    assert answers_wanted(RESOLVED, 4, 4, [finding("AAAA")], Redundancy(3, 5, 0.9)) == 4
    assert answers_wanted(UNRESOLVED, 6, 6, [finding("AAABBB")], Redundancy(3, 5, 0.9)) == 6


@pytest.mark.parametrize("redundancy", [(0, 3, 0.9), (3, 2, 0.9), (1, 2, 0.4), (1, 2, 1.1)])
def test_a_redundancy_that_cannot_be_is_refused(redundancy: tuple[int, int, float]) -> None:
    with pytest.raises(InvalidRedundancy):
        Redundancy(*redundancy)


def test_verdicts_and_proposals_have_the_numbers_of_the_contract() -> None:
    assert {f"VERDICT_{each.name}": each.value for each in Verdict} == dict(events_pb2.Verdict.items()[1:])
    assert {f"PROPOSAL_{each.name}": each.value for each in Proposal} == dict(events_pb2.Proposal.items()[1:])


def test_a_task_is_resolved_when_each_of_its_questions_is() -> None:
    rule = Redundancy(2, 4, 0.9)
    assert verdict([finding("AA"), finding("BB")], 2, rule, closed=False) is RESOLVED
    assert verdict([finding("AA"), finding("AB")], 2, rule, closed=False) is MORE
    assert verdict([finding("AAAA"), finding("ABAB")], 4, rule, closed=False) is UNRESOLVED


def test_a_vote_that_could_not_assess_is_wanted_again_until_the_greatest_number() -> None:
    rule = Redundancy(2, 4, 0.9)
    short = finding("A", abstained=1)
    assert verdict([finding("AA"), short], 2, rule, closed=False) is MORE
    assert answers_wanted(MORE, 2, 2, [finding("AA"), short], rule) == 3
    assert answers_wanted(MORE, 3, 3, [finding("AAA"), finding("", abstained=3)], rule) == 4
    assert verdict([finding("AAAA"), finding("AA", abstained=2)], 4, rule, closed=False) is RESOLVED


@pytest.mark.parametrize("votes", ["", "A"])
def test_what_too_few_could_assess_stays_open_in_the_end(votes: str) -> None:
    question = finding(votes, abstained=4 - len(votes))
    assert verdict([finding("AAAA"), question], 4, Redundancy(2, 4, 0.9), closed=False) is UNRESOLVED
