"""Of whom the next word on a task is wanted: anybody, a senior, the vendor, or nobody."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from preceptor.work.v1.work_pb2 import Question, Route

from services.scoring.aggregation.types import fact_check, pairwise_preference
from services.scoring.aggregation.types.aggregator import Stated
from services.scoring.domain import routing
from services.scoring.domain.consensus import Consensus, Finding
from services.scoring.domain.judging import Judgement, Proposal
from services.scoring.domain.routing import GREATEST, LEAST, USUAL, Routing, route, skill_wanted
from services.scoring.domain.stopping import Redundancy, outcome
from services.scoring.domain.votes import Ballot
from tests.support import findings

ANYONE, SENIOR, VENDOR, NOBODY = (
    routing.Route.ANYONE,
    routing.Route.SENIOR,
    routing.Route.VENDOR,
    routing.Route.NOBODY,
)
RULE = Redundancy(2, 5, 0.95, 0.0002, 0.8)
NOT_ASKED = Redundancy(2, 5, 0.0)
REJECTED = Judgement(UUID(int=1), Proposal.REJECT, 0)

rules = st.builds(
    lambda least, more, stop: Redundancy(least, least + more, stop),
    st.integers(1, 5),
    st.integers(0, 5),
    st.just(0.0) | st.floats(0.5, 1.0),
)
splits = st.lists(st.integers(0, 2), max_size=10)


def said(labels: Sequence[int], confidence: float | None = None, abstained: int = 0) -> Finding:
    """A question of three labels by what was said; as sure as told, else as many say what most do."""
    if not labels:
        return Finding(None, (), abstained)
    counts = [labels.count(label) for label in range(3)]
    leader = counts.index(max(counts))
    sure = max(counts) / len(labels) * 0.98 if confidence is None else confidence
    chances = tuple(sure if label == leader else (1 - sure) / 2 for label in range(3))
    unanimous = max(counts) == len(labels)
    return Finding(Consensus(leader, chances, 1.0, unanimous), [Ballot(label, 0) for label in labels], abstained)


def routed(
    *asked: Finding,
    rule: Redundancy = RULE,
    standing: int | None = None,
    judged: Sequence[Judgement] = (),
    subjective: bool = False,
) -> Routing:
    """Where a task goes of these questions."""
    answers = max(each.votes + each.abstained for each in asked) if standing is None else standing
    follows = outcome(asked, answers, answers, rule, closed=False)
    return route(asked, follows, answers, judged, rule, subjective=subjective)


def fresh(labels: str, greatest: int = 5) -> Finding:
    """What the engine finds by fresh raters."""
    votes = [Stated("ATB".index(label)) for label in labels]
    question = Question(id="preference")
    return findings.found(pairwise_preference.AGGREGATOR, question, votes, remaining=greatest - len(labels))


@pytest.mark.parametrize(
    ("labels", "expected"),
    [("A", ANYONE), ("AAA", NOBODY), ("AB", ANYONE), ("AAB", ANYONE), ("ATB", SENIOR), ("AABB", SENIOR)],
)
def test_a_senior_is_asked_once_usual_raters_could_not_settle_it_any_more(labels: str, expected: routing.Route) -> None:
    assert routed(fresh(labels)).route is expected


def test_the_less_that_is_left_the_more_skill_is_wanted() -> None:
    split = said([0, 1], 0.49)
    wanted = [skill_wanted(split, remaining, RULE) for remaining in (4, 3, 2, 1)]
    assert wanted == sorted(wanted)
    assert (wanted[0], wanted[-1]) == (0.0, GREATEST)


def test_usual_raters_who_reach_the_confidence_exactly_are_enough() -> None:
    # Two labels: each usual answer triples the odds, so from even odds two of them make 9 to 1.
    even = Finding(Consensus(0, (0.5, 0.5), 1.0, unanimous=False), [Ballot(0, 0), Ballot(1, 0)], 0)
    assert skill_wanted(even, 2, Redundancy(2, 4, 0.899)) == 0.0
    assert skill_wanted(even, 2, Redundancy(2, 4, 0.901)) == LEAST
    assert skill_wanted(even, 1, Redundancy(2, 3, 0.85)) == pytest.approx(0.85)


@given(rules, st.integers(0, 5), splits)
def test_nobody_special_is_wanted_before_the_least_number_is_in(rule: Redundancy, cut: int, labels: list[int]) -> None:
    few = said(labels[: min(cut, rule.least - 1)])
    assert routed(few, rule=rule) == Routing(ANYONE)
    assert routed(Finding(None, (), 0), rule=rule) == Routing(ANYONE)


@given(rules, st.integers(1, 10), st.floats(0.34, 1.0), st.booleans())
def test_what_all_say_goes_to_nobody_special(rule: Redundancy, votes: int, confidence: float, subjective: bool) -> None:
    assert routed(said([1] * votes, confidence), rule=rule, subjective=subjective).route in (ANYONE, NOBODY)


@given(splits, st.floats(0.34, 0.999), st.floats(0.0, 0.3), rules, st.integers(1, 9))
def test_more_confidence_a_lower_aim_or_more_to_come_never_want_more_skill(
    labels: list[int], confidence: float, more: float, rule: Redundancy, remaining: int
) -> None:
    assume(confidence + more < 1 and rule.stop_confidence > 0 and rule.stop_confidence + more < 1)
    wanted = skill_wanted(said(labels, confidence), remaining, rule)
    assert wanted == 0 or USUAL < LEAST <= wanted <= GREATEST
    assert skill_wanted(said(labels, confidence + more), remaining, rule) <= wanted
    assert skill_wanted(said(labels, confidence), remaining + 1, rule) <= wanted
    aim = Redundancy(rule.least, rule.greatest, rule.stop_confidence + more)
    assert skill_wanted(said(labels, confidence), remaining, aim) >= wanted


@given(st.lists(splits, min_size=1, max_size=4), st.integers(0, 3), rules, st.booleans())
def test_each_route_goes_with_its_verdict_and_with_what_it_needs(
    questions: list[list[int]], abstained: int, rule: Redundancy, subjective: bool
) -> None:
    asked = [said(labels, abstained=abstained) for labels in questions]
    answers = max(max(each.votes + each.abstained for each in asked), 1)
    found = routed(*asked, rule=rule, standing=answers, subjective=subjective)
    verdict = outcome(asked, answers, answers, rule, closed=False).verdict
    assert found.route in {1: (ANYONE, SENIOR), 2: (NOBODY,), 3: (VENDOR, NOBODY)}[verdict]
    assert (found.skill > 0) == (found.route is SENIOR)
    assert bool(found.questions) == (found.route is VENDOR)


def test_of_several_questions_the_hardest_that_is_open_tells_the_skill() -> None:
    sure, split, hard = said([0] * 4, 0.99), said([0, 0, 1, 1], 0.5), said([0, 0, 1, 1], 0.4)
    rule = Redundancy(2, 5, 0.9)
    alone = [routed(each, rule=rule).skill for each in (split, hard)]
    assert 0 < alone[0] < alone[1]
    assert routed(sure, split, hard, rule=rule).skill == alone[1]


def test_where_all_answers_are_asked_anyway_agreement_is_what_is_to_be_reached() -> None:
    assert routed(said([0, 0, 1], 0.7), rule=Redundancy(2, 5, 1.0)).route is ANYONE
    assert routed(said([0, 1], 0.34), rule=Redundancy(2, 3, 1.0)).route is SENIOR


def test_what_most_could_not_assess_goes_to_a_senior_and_in_the_end_to_the_vendor() -> None:
    for subjective in (True, False):
        assert routed(Finding(None, (), 2), subjective=subjective) == Routing(SENIOR, LEAST)
        assert routed(said([0], abstained=2), subjective=subjective) == Routing(SENIOR, LEAST)
        unanimous = routed(said([0, 0], 0.7, abstained=3), rule=NOT_ASKED, subjective=subjective)
        assert unanimous.questions == ()  # they agree
        assert routed(Finding(None, (), 5), subjective=subjective) == Routing(VENDOR, questions=(0,))
        assert routed(said([0, 1], 0.4, abstained=3), subjective=subjective) == Routing(VENDOR, questions=(0,))


def test_what_experts_cannot_settle_is_put_to_the_vendor_unless_it_is_a_matter_of_taste() -> None:
    agreed, split = said([0] * 5, 0.99), said([0, 0, 1, 1, 2], 0.5)
    assert routed(agreed, split) == Routing(VENDOR, questions=(1,))
    assert routed(agreed, split, subjective=True) == Routing(NOBODY)
    assert (fact_check.AGGREGATOR.subjective, pairwise_preference.AGGREGATOR.subjective) == (False, True)


def test_the_vendor_is_not_asked_where_only_answers_to_be_rejected_dissent() -> None:
    split = said([0, 0, 0, 1, 2], 0.7)
    assert routed(split, judged=[REJECTED]).route is VENDOR
    assert routed(split, judged=[REJECTED] * 2).route is NOBODY


def test_routes_have_the_numbers_of_the_contract() -> None:
    told = {f"ROUTE_{each.name}": each.value for each in routing.Route if each}
    assert told == dict(Route.items()[1:])
