"""One task scored: which votes stand, what its raters' records gain, how its answers are judged."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation.pairwise_preference import AGGREGATOR
from services.scoring.domain.consensus import Consensus
from services.scoring.domain.reliability import Record
from services.scoring.domain.scoring import Asked, Scoring, score
from services.scoring.domain.stopping import Redundancy, Verdict
from services.scoring.domain.votes import Vote

PREFER = partial(AGGREGATOR.aggregate, Question(id="preference"))
START = datetime(2026, 1, 1, tzinfo=UTC)
RULE = Redundancy(2, 5, 0.9)
RECORDS = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda pair: Record(pair[0], sum(pair)))


def vote(number: int, preference: int, *, expert: int | None = None, record: Record | None = None) -> Vote:
    stated = (preference > 0) - (preference < 0) + 1
    expert_id = UUID(int=1000 + (number if expert is None else expert))
    return Vote(UUID(int=number), expert_id, stated, preference, START + timedelta(seconds=number), record or Record())


def scored(votes: Sequence[Vote], *, closed: bool = False, rule: Redundancy = RULE) -> Scoring:
    return score(votes, rule, closed=closed, asked=[Asked("preference", 3, PREFER)])


def found(scoring: Scoring) -> Consensus:
    """The consensus on the only question."""
    [finding] = scoring.findings
    assert finding.consensus is not None
    return finding.consensus


def written(votes: Iterable[Vote], scoring: Scoring) -> list[Vote]:
    """The votes as they are read after the scoring was stored, records and all."""
    return [
        replace(
            each,
            credit=scoring.credits.get(each.key),
            record=each.record + scoring.record_changes.get(each.expert_id, Record()),
        )
        for each in votes
    ]


def fully_scored(votes: Sequence[Vote], sizes: Sequence[int]) -> tuple[Scoring, list[Vote]]:
    """Scores the votes as they come in pieces; returns the last scoring and the stored votes."""
    kept: list[Vote] = []
    closed = False
    taken = 0
    for size in sizes:
        known = {each.expert_id: each.record for each in kept}
        fresh = [replace(v, record=known.get(v.expert_id, v.record)) for v in votes[taken : taken + size]]
        taken += size
        kept = [*kept, *fresh]
        scoring = scored(kept, closed=closed)
        kept = written(kept, scoring)
        closed = scoring.verdict is not Verdict.MORE_WANTED
    return scoring, kept


def test_a_resolved_task_accepts_every_answer_in_full() -> None:
    scoring = scored([vote(1, -1), vote(2, -2), vote(3, -1), vote(4, 3)])
    assert scoring.verdict is Verdict.RESOLVED
    assert [(j.answer_id.int, j.proposal.name, j.payable_basis_points) for j in scoring.judgements] == [
        (number, "ACCEPT", 10_000) for number in (1, 2, 3, 4)
    ]


def test_while_more_are_wanted_nothing_is_judged_and_no_record_changes() -> None:
    scoring = scored([vote(1, -1)])
    assert (scoring.verdict, scoring.seen, scoring.wanted) == (Verdict.MORE_WANTED, 1, 2)
    assert (list(scoring.judgements), scoring.credits, scoring.record_changes) == ([], {}, {})


def test_a_closed_task_credits_each_rater_with_the_probability_of_their_label() -> None:
    scoring = scored([vote(1, -1), vote(2, -1), vote(3, -1), vote(4, 1)])
    # Three fresh raters against one: odds 216 : 1 : 6.
    assert abs(scoring.credits[UUID(int=1), 0] - 216 / 223) < 2**-20
    assert abs(scoring.credits[UUID(int=4), 0] - 6 / 223) < 2**-20
    assert scoring.record_changes[UUID(int=1004)] == Record(scoring.credits[UUID(int=4), 0], 1)


def test_whoever_answers_again_replaces_their_vote_and_is_paid_for_both() -> None:
    votes = [vote(1, -1), vote(2, -1), vote(3, 1, expert=1)]
    scoring = scored(votes, closed=True)
    assert set(scoring.findings[0].ballots) == {UUID(int=2), UUID(int=3)}
    assert (found(scoring).votes, scoring.seen, len(scoring.judgements)) == (2, 3, 3)


def test_a_replaced_vote_leaves_the_record_of_its_rater() -> None:
    _, kept = fully_scored([vote(1, -1), vote(2, -1), vote(3, 1, expert=1)], [2, 1])
    assert [each.credit is None for each in kept] == [True, False, False]
    assert kept[0].record == kept[2].counted


def test_scoring_a_stored_task_again_changes_nothing() -> None:
    first, kept = fully_scored([vote(1, -1), vote(2, -1), vote(3, 1)], [2, 1])
    again = scored(kept, closed=True)
    assert again.findings == first.findings
    assert again.record_changes == {}


def test_a_task_is_no_evidence_for_itself() -> None:
    # The raters' records hold this very task by now; the posterior is the same as before they did.
    _, kept = fully_scored([vote(1, -1), vote(2, -1)], [2])
    assert kept[0].record.total == 1
    assert scored(kept, closed=True).findings == scored([vote(1, -1), vote(2, -1)]).findings


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 5), RECORDS), min_size=1, max_size=8),
    st.integers(0, 8),
)
def test_votes_in_pieces_leave_the_records_that_one_piece_leaves(
    drawn: list[tuple[int, int, Record]], cut: int
) -> None:
    records = {expert: record for _, expert, record in drawn}
    votes = [vote(n, p, expert=expert, record=records[expert]) for n, (p, expert, _) in enumerate(drawn)]
    cut = min(cut, len(votes) - 1)
    pieces, kept = fully_scored(votes, [cut, len(votes) - cut] if cut else [len(votes)])
    whole, at_once = fully_scored(votes, [len(votes)])
    assert (pieces.findings, pieces.seen) == (whole.findings, whole.seen)
    if Verdict.MORE_WANTED not in (pieces.verdict, whole.verdict):
        assert pieces.verdict is whole.verdict
        assert [(each.credit, each.record) for each in kept] == [(each.credit, each.record) for each in at_once]


def test_votes_in_any_order_are_the_same_task() -> None:
    votes = [vote(1, -1), vote(2, 2, record=Record(9, 12)), vote(3, -3), vote(4, 0), vote(5, 1, expert=1)]
    scorings = [scored(order) for order in permutations(votes)]
    assert all(each == scorings[0] for each in scorings)
