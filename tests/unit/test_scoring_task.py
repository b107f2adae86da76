"""One task scored: which votes stand, what the engine is asked, how answers are judged."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from preceptor.work.v1.pairwise_preference_pb2 import PairwisePreferencePayload
from preceptor.work.v1.work_pb2 import Payload, Question

from chassis.contract.answers import questions_of
from services.scoring.aggregation.pairwise_preference import AGGREGATOR
from services.scoring.domain.scoring import Scoring
from services.scoring.domain.stopping import Redundancy, Verdict
from services.scoring.domain.votes import Vote, standing
from services.scoring.usecases import score_tasks, tasks
from tests.support import findings

RULE = Redundancy(2, 5, 0.9)
CAST = st.lists(st.tuples(st.none() | st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=8)


def vote(number: int, preference: int | None, *, expert: int | None = None) -> Vote:
    label = None if preference is None else (preference > 0) - (preference < 0) + 1
    return findings.vote(number, label, strength=preference or 0, expert=expert)


def scored(votes: Sequence[Vote], *, closed: bool = False) -> Scoring:
    return findings.scored(AGGREGATOR, [Question(id="preference")], votes, RULE, closed=closed)


def task(redundancy: Redundancy = RULE) -> tasks.Task:
    """A task as its first answer tells of it."""
    questions = questions_of(Payload(pairwise_preference=PairwisePreferencePayload()))
    ids = [UUID(int=n) for n in range(4)]
    return tasks.Task(ids[0], ids[1], ids[2], ids[3], 1, 1, redundancy, questions.SerializeToString())


def known(votes: Sequence[Vote]) -> list[Vote]:
    """The votes as they are read when more come."""
    return [each._replace(known=True) for each in votes]


def test_a_resolved_task_accepts_every_answer_in_full() -> None:
    scoring = scored([vote(1, -1), vote(2, -2), vote(3, -1), vote(4, 3)])
    assert scoring.outcome.verdict is Verdict.RESOLVED
    assert [(j.answer_id.int, j.proposal.name, j.payable_basis_points) for j in scoring.judgements] == [
        (number, "ACCEPT", 10_000) for number in (1, 2, 3, 4)
    ]


def test_while_more_are_wanted_nothing_is_judged() -> None:
    scoring = scored([vote(1, -1)])
    assert (scoring.outcome.verdict, scoring.seen, scoring.outcome.wanted) == (Verdict.MORE_WANTED, 1, 2)
    assert not scoring.final
    assert list(scoring.judgements) == []


def test_whoever_answers_again_replaces_their_vote_and_is_paid_for_both() -> None:
    scoring = scored([vote(1, -1), vote(2, -1), vote(3, 1, expert=1)], closed=True)
    assert set(scoring.findings[0].ballots) == {UUID(int=2), UUID(int=3)}
    assert (scoring.findings[0].votes, scoring.seen, len(scoring.judgements)) == (2, 3, 3)


def test_of_an_experts_answers_the_latest_stands_and_of_two_at_once_the_one_with_the_greater_id() -> None:
    first, later, same = vote(1, -1, expert=1), vote(2, 1, expert=1), vote(3, 0, expert=1)
    same = same._replace(submitted_at=later.submitted_at)
    for order in permutations([first, later, same]):
        assert standing(order) == [same]
    assert standing([later, first]) == [later]


def test_votes_in_any_order_are_the_same_task() -> None:
    votes = [vote(1, -1), vote(2, 2), vote(3, -3), vote(4, 0), vote(5, 1, expert=1)]
    findings.assert_alike([scored(order) for order in permutations(votes)])


def test_the_engine_is_told_what_is_new_and_what_has_been_replaced() -> None:
    first = known([vote(1, -1), vote(2, 1)])
    again, new = vote(3, 0, expert=1), vote(4, 1)
    [item] = score_tasks.ask(task(), [*first, again, new]).items
    assert (list(item.votes), item.counted, list(item.gone)) == ([first[1], again, new], 1, [first[0]])
    assert item.remaining == 2


def test_an_answer_that_comes_late_and_is_older_than_the_one_that_stands_takes_nothing_from_it() -> None:
    stands = known([vote(3, -1, expert=1)])
    [item] = score_tasks.ask(task(), [*stands, vote(1, 1, expert=1)]).items
    assert (list(item.votes), item.counted, list(item.gone)) == (stands, 1, [])


def test_who_says_instead_that_it_cannot_be_assessed_takes_the_vote_back() -> None:
    first = known([vote(1, -1)])
    [item] = score_tasks.ask(task(), [*first, vote(2, None, expert=1)]).items
    assert (list(item.votes), item.counted, list(item.gone), item.abstained) == ([], 0, first, 1)


@given(CAST, st.integers(0, 8))
def test_what_the_engine_counts_after_votes_in_pieces_is_what_stands(
    drawn: list[tuple[int | None, int]], cut: int
) -> None:
    votes = [vote(n, preference, expert=expert) for n, (preference, expert) in enumerate(drawn)]
    [before] = score_tasks.ask(task(), votes[:cut]).items
    [item] = score_tasks.ask(task(), [*known(votes[:cut]), *votes[cut:]]).items
    counted = [each.key for each in before.votes if each.key not in {gone.key for gone in item.gone}]
    assert sorted(counted) == sorted(each.key for each in item.votes[: item.counted])
    assert sorted(each.key for each in item.votes) == sorted(
        each.key for each in standing(votes) if each.label is not None
    )


def test_the_result_is_as_sure_as_the_question_that_is_least_sure() -> None:
    scoring = scored([vote(1, -1), vote(2, -1)])
    shaky = replace(scoring, findings=(*scoring.findings, *scored([vote(1, -1)]).findings))
    assert shaky.confidence == shaky.findings[1].confidence < shaky.findings[0].confidence
