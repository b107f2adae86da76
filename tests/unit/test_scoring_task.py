"""One task scored: which votes stand, what the engine is asked, how answers are judged."""

from collections.abc import Sequence
from itertools import permutations
from typing import NamedTuple

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation.tasks import items
from services.scoring.aggregation.tasks.sheet import standing_votes
from services.scoring.aggregation.types.pairwise_preference import AGGREGATOR
from services.scoring.domain.scoring import Scoring
from services.scoring.domain.stopping import Redundancy, Verdict
from services.scoring.domain.votes import Vote
from tests.support import findings

RULE = Redundancy(2, 5, 0.9, agreed_confidence=0.8, least_worth=0.0002)
CAST = st.lists(st.tuples(st.none() | st.integers(-3, 3), st.integers(0, 4)), min_size=1, max_size=8)


def vote(number: int, preference: int | None, *, expert: int | None = None) -> Vote:
    label = None if preference is None else (preference > 0) - (preference < 0) + 1
    return findings.vote(number, label, strength=preference or 0, expert=expert)


def scored(votes: Sequence[Vote], *, closed: bool = False) -> Scoring:
    return findings.scored(AGGREGATOR, [Question(id="preference")], votes, RULE, closed=closed)


def standing(votes: Sequence[Vote]) -> list[Vote]:
    """Those that stand, by a rule of its own: nobody has a later answer, or one as late with a greater id."""
    order = [(vote.submitted_at, vote.answer_id) for vote in votes]
    last = {vote.expert_id: max(at for at, other in zip(order, votes, strict=True) if other.expert_id == vote.expert_id)
            for vote in votes}  # fmt: skip
    return [vote for at, vote in zip(order, votes, strict=True) if last[vote.expert_id] == at]


def kept_standing(votes: Sequence[Vote]) -> list[Vote]:
    """Those that stand of what is kept of a task with these."""
    [kept] = findings.sheet_of(votes, 1).pack()
    return standing_votes(kept, 1)


class Told(NamedTuple):
    """What the engine is told of a question: ids of the answers that are new and old votes of it, and those gone."""

    counted: set[int]
    fresh: set[int]
    gone: set[int]
    abstained: int


def told(known: Sequence[Vote], new: Sequence[Vote]) -> Told:
    """What the engine is told of a task of which these votes were known when more came."""
    sheet = findings.sheet_of(new, 1, known=known)
    [part] = items.parts(sheet, sheet.standing(), np.zeros(1, dtype=np.int64))
    votes = part.votes(part.experts)
    ids = [int.from_bytes(sheet.answers["answer"][sheet.answer[vote]].tobytes()) for vote in part.cast]
    gone = {int.from_bytes(sheet.answers["answer"][sheet.answer[vote]].tobytes()) for vote in part.gone}
    return Told(set(ids[: votes.counted[0]]), set(ids[votes.counted[0] :]), gone, int(part.abstained[0]))


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
    assert [ballot.label for ballot in scoring.findings[0].ballots] == [0, 2]
    assert (scoring.findings[0].votes, scoring.seen, len(scoring.judgements)) == (2, 3, 3)


def test_of_an_experts_answers_the_latest_stands_and_of_two_at_once_the_one_with_the_greater_id() -> None:
    first, later, same = vote(1, -1, expert=1), vote(2, 1, expert=1), vote(3, 0, expert=1)
    same = same._replace(submitted_at=later.submitted_at)
    for order in permutations([first, later, same]):
        assert kept_standing(order) == [same]
    assert kept_standing([later, first]) == [later]


def test_votes_in_any_order_are_the_same_task() -> None:
    votes = [vote(1, -1), vote(2, 2), vote(3, -3), vote(4, 0), vote(5, 1, expert=1)]
    findings.assert_alike([scored(order) for order in permutations(votes)])


def test_the_engine_is_told_what_is_new_and_what_has_been_replaced() -> None:
    first = [vote(1, -1), vote(2, 1)]
    assert told(first, [vote(3, 0, expert=1), vote(4, 1)]) == Told({2}, {3, 4}, {1}, 0)


def test_an_answer_that_is_there_already_is_not_taken_again() -> None:
    first = [vote(1, -1), vote(2, 1)]
    assert told(first, [*first, vote(3, 1), vote(3, 1)]) == Told({1, 2}, {3}, set(), 0)


def test_an_answer_that_comes_late_and_is_older_than_the_one_that_stands_takes_nothing_from_it() -> None:
    assert told([vote(3, -1, expert=1)], [vote(1, 1, expert=1)]) == Told({3}, set(), set(), 0)


def test_who_says_instead_that_it_cannot_be_assessed_takes_the_vote_back() -> None:
    assert told([vote(1, -1)], [vote(2, None, expert=1)]) == Told(set(), set(), {1}, 1)


@given(CAST, st.integers(0, 8))
def test_what_the_engine_counts_after_votes_in_pieces_is_what_stands(
    drawn: list[tuple[int | None, int]], cut: int
) -> None:
    votes = [vote(n, preference, expert=expert) for n, (preference, expert) in enumerate(drawn)]
    before, after = told([], votes[:cut]), told(votes[:cut], votes[cut:])
    assert after.counted == before.fresh - after.gone
    assert after.counted | after.fresh == {v.answer_id.int for v in standing(votes) if v.label is not None}


@given(CAST)
def test_what_is_kept_of_answers_is_read_as_it_was_written(drawn: list[tuple[int | None, int]]) -> None:
    votes = [vote(n, preference, expert=expert) for n, (preference, expert) in enumerate(drawn)]
    assert kept_standing(votes) == standing(votes)


def test_the_result_is_as_sure_as_the_question_that_is_least_sure() -> None:
    scoring = scored([vote(1, -1), vote(2, -1)])
    shaky = scoring._replace(findings=(*scoring.findings, *scored([vote(1, -1)]).findings))
    assert shaky.confidence == shaky.findings[1].confidence < shaky.findings[0].confidence
