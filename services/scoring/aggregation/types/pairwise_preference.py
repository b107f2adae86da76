"""Pairwise preference: which of two responses is better, as a choice between A, a tie and B."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from preceptor.work.v1.pairwise_preference_pb2 import SIDE_A, SIDE_B, SIDE_TIE
from preceptor.work.v1.work_pb2 import Answer, Question, Result

from services.scoring.aggregation.kinds.choice import consensus as choice
from services.scoring.aggregation.types.aggregator import Aggregator, AnswerMisfit, Stated
from services.scoring.domain.consensus import Finding
from services.scoring.domain.votes import Ballot

LABELS = ("A", "TIE", "B")
A, TIE, B = range(3)
_SIDES = (SIDE_A, SIDE_TIE, SIDE_B)


def labels(_: Question) -> tuple[str, ...]:
    """The words of the three sides."""
    return LABELS


def read(answer: Answer, questions: Sequence[Question]) -> list[Stated]:
    """The side that an answer prefers, for the one question that there is. That both are bad does not touch which is
    better. Raises `AnswerMisfit`.
    """
    told = answer.pairwise_preference
    if len(questions) != 1:
        raise AnswerMisfit(field="questions")
    if not told.HasField("preference"):
        raise AnswerMisfit(field="answer.pairwise_preference.preference")
    preference = told.preference
    return [Stated(_side(preference), preference) for _ in questions]


def at_a_draw(_: Question, leaders: Sequence[int], ballots: Sequence[Ballot]) -> int:
    """The leading side that the stated strengths lean to; in balance, a tie.

    So the outcome is the mirror image when A and B change places: no order of sides is preferred.
    """
    side = _side(_total(ballots))
    return side if side in leaders else TIE


def result(_: Sequence[Question], findings: Sequence[Finding]) -> Result:
    """The result for the vendor; the mean preference is over the standing votes alike."""
    [found] = findings
    told = Result()
    preference = told.pairwise_preference
    if found.consensus is None:
        preference.SetInParent()
        return told
    preference.preferred = _SIDES[found.consensus.label]
    chances = choice.of_a_further_rater(found.consensus.probabilities)
    preference.probability_a, preference.probability_tie, preference.probability_b = chances
    preference.mean_preference = _total(found.ballots) / found.votes
    return told


def _side(preference: int) -> int:
    """The side of a preference: below 0 is A, above is B."""
    return TIE if preference == 0 else A if preference < 0 else B


def _total(ballots: Iterable[Ballot]) -> int:
    return sum(ballot.strength for ballot in ballots)


AGGREGATOR = Aggregator(labels, read, at_a_draw, result, subjective=True)
