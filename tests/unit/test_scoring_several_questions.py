"""A task of several questions scored: votes on each, one verdict, and what leaving most out means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from services.scoring.aggregation.types.rubric_grade import AGGREGATOR
from services.scoring.domain.judging import Proposal
from services.scoring.domain.scoring import Scoring
from services.scoring.domain.stopping import Redundancy, Verdict
from services.scoring.domain.votes import Vote
from tests.support import findings
from tests.unit.test_scoring_rubric_grade import QUESTIONS

RULE = Redundancy(2, 4, 0.87)
Said = tuple[int | None, int | None, int | None]


def answer(number: int, said: Said, *, expert: int | None = None) -> list[Vote]:
    """An answer's votes on the three questions."""
    return [findings.vote(number, label, question=place, expert=expert) for place, label in enumerate(said)]


def scored(*answers: Sequence[Vote], closed: bool = False) -> Scoring:
    votes = [vote for votes in answers for vote in votes]
    return findings.scored(AGGREGATOR, QUESTIONS, votes, RULE, closed=closed)


def test_the_task_is_as_sure_as_its_least_sure_question() -> None:
    scoring = scored(answer(1, (2, 4, 0)), answer(2, (2, 3, 0)))
    assert scoring.outcome.verdict is Verdict.MORE_WANTED
    assert scoring.confidence == scoring.findings[1].confidence < scoring.findings[0].confidence
    assert scored(answer(1, (2, 4, 0)), answer(2, (2, 4, 0))).outcome.verdict is Verdict.RESOLVED


def test_a_question_that_somebody_could_not_assess_is_asked_once_more() -> None:
    two = scored(answer(1, (2, 4, 0)), answer(2, (None, 4, 0)))
    assert (two.outcome.verdict, two.seen, two.outcome.wanted) == (Verdict.MORE_WANTED, 2, 3)
    three = scored(answer(1, (2, 4, 0)), answer(2, (None, 4, 0)), answer(3, (2, 4, 0)))
    assert three.outcome.verdict is Verdict.RESOLVED
    assert three.findings[0].abstained == 1


def test_who_answers_again_replaces_the_votes_on_all_questions() -> None:
    scoring = scored(answer(1, (2, 4, 0)), answer(2, (2, 4, 0)), answer(3, (0, None, 1), expert=1), closed=True)
    assert [finding.votes for finding in scoring.findings] == [2, 1, 2]
    assert (scoring.seen, len(scoring.judgements)) == (3, 3)


def test_votes_in_any_order_are_the_same_task() -> None:
    answers = [answer(1, (2, 4, 0)), answer(2, (1, None, 0)), answer(3, (2, 5, 1)), answer(4, (0, 0, 0), expert=2)]
    findings.assert_alike([scored(*order) for order in permutations(answers)])


def test_to_disagree_about_everything_is_paid_in_full() -> None:
    scoring = scored(answer(1, (2, 4, 0)), answer(2, (2, 4, 0)), answer(3, (0, 0, 1)), closed=True)
    assert {judgement.proposal for judgement in scoring.judgements} == {Proposal.ACCEPT}


def test_to_leave_out_what_others_assessed_is_incomplete_and_pays_the_share_of_the_rest() -> None:
    scoring = scored(answer(1, (2, 4, 0)), answer(2, (2, 4, 0)), answer(3, (None, None, 0)), closed=True)
    *_, judged = scoring.judgements
    assert (judged.proposal, judged.payable_basis_points, judged.ground) == (Proposal.PARTIAL, 3334, "INCOMPLETE")
    assert "accuracy, tone" in judged.evidence
    assert len(judged.evidence) >= 100


def test_to_leave_out_all_of_it_proposes_a_rejection() -> None:
    scoring = scored(answer(1, (2, 4, 0)), answer(2, (2, 4, 0)), answer(3, (None, None, None)), closed=True)
    assert (scoring.judgements[-1].proposal, scoring.judgements[-1].payable_basis_points) == (Proposal.REJECT, 0)


def test_to_leave_out_what_others_could_not_assess_either_is_paid_in_full() -> None:
    scoring = scored(answer(1, (2, None, None)), answer(2, (2, None, 0)), answer(3, (2, None, None)), closed=True)
    assert {judgement.proposal for judgement in scoring.judgements} == {Proposal.ACCEPT}
