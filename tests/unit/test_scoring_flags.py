"""Who is flagged, and who is not; which answers are exceptionally fast."""

from dataclasses import replace
from math import log

import numpy as np
import pytest
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation.models import uninformed
from services.scoring.aggregation.models.crowd import crowd
from services.scoring.aggregation.types.pairwise_preference import AGGREGATOR
from services.scoring.domain.flag import ALONE, Kind, Signs, flag
from services.scoring.domain.pace import LEAST_ANSWERS, Pace
from services.scoring.domain.scoring import Scoring
from services.scoring.domain.stopping import Redundancy
from tests.support import findings
from tests.support.crowds import answers

NO_SIGNS = Signs(votes=40, looks=12.0, cares=6.0, gold_right=6, gold_all=8, pace=-0.4)
FAST = replace(NO_SIGNS, pace=-4.0)


def test_a_good_rater_is_not_flagged() -> None:
    assert flag(NO_SIGNS) is None


def test_fast_work_that_tells_something_is_no_fault() -> None:
    assert flag(FAST) is None


def test_who_misses_gold_and_agrees_with_the_others_is_not_flagged() -> None:
    assert flag(replace(NO_SIGNS, gold_right=0)) is None


def test_labels_out_of_habit_handed_in_at_once_are_spam() -> None:
    found = flag(replace(FAST, looks=-4.5, cares=-15.0, gold_right=3))
    assert found is not None
    assert found.kind is Kind.SPAM
    assert "4.0 standard deviations faster" in found.evidence


def test_labels_alone_flag_only_where_they_are_overwhelming() -> None:
    assert flag(replace(NO_SIGNS, looks=ALONE + 1, cares=1.0)) is None
    assert flag(replace(NO_SIGNS, looks=ALONE - 1, cares=1.0)) is not None


def test_half_informed_labels_and_missed_gold_are_careless() -> None:
    found = flag(replace(NO_SIGNS, looks=3.0, cares=-4.0, gold_right=1, gold_all=9))
    assert found is not None
    assert found.kind is Kind.CARELESS
    assert "of 9 questions of gold 1 are right" in found.evidence


def test_a_few_votes_flag_nobody() -> None:
    assert flag(replace(FAST, votes=7, looks=-20.0)) is None


def test_the_evidence_is_the_log_likelihood_ratio_of_its_formula() -> None:
    # Two tasks; every other rater says the same, so what a vote is held against is nearly certain.
    task = np.repeat([0, 1], 6)
    worker = np.tile(np.arange(6), 2)
    label = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0])
    found = uninformed.evidence(crowd(task, worker, label, classes=2))
    assert found.votes.tolist() == [2.0] * 6
    assert np.all(found.looks[:5] > 0)
    assert found.looks[5] < 0
    assert found.looks[:5] == pytest.approx([found.looks[0]] * 5)
    assert found.looks[0] < 2 * log(1 / 0.4)  # no vote tells more than that its habit would rarely have named it


@pytest.mark.parametrize("seed", range(3))
def test_one_who_answers_at_random_stands_out_among_honest_ones(seed: int) -> None:
    task, worker, label, _ = answers(tasks=200, workers=15, classes=4, per_task=5, seed=seed)
    label = np.where(worker == 3, np.random.default_rng(seed).integers(0, 4, len(label)), label)
    found = uninformed.evidence(crowd(task, worker, label, classes=4))
    assert found.looks.argmin() == 3
    assert found.looks[3] < -4
    assert np.all(np.delete(found.looks, 3) > 4)


def usual() -> Pace:
    return Pace().with_answers((80_000, 100_000, 125_000) * 20)


def test_an_answer_is_exceptionally_fast_three_deviations_below_the_mean_of_logs() -> None:
    assert usual().too_fast(60_000) == ""
    assert "60 answers of the project took 100 seconds" in usual().too_fast(5_000)


def test_pace_says_nothing_while_little_is_known_of_it() -> None:
    pace = Pace().with_answers([100_000, 0])
    assert pace.answers == 1
    assert pace.too_fast(1) == ""
    assert Pace().with_answers([100_000] * (LEAST_ANSWERS - 1)).too_fast(1) == ""
    assert usual().too_fast(0) == ""


def hurried(label: int) -> Scoring:
    votes = [findings.vote(n, 0) for n in range(1, 5)]
    votes.append(findings.vote(5, label)._replace(hold_ms=4_000))
    return findings.scored(
        AGGREGATOR, [Question(id="preference")], votes, Redundancy(2, 5, 0.99), closed=True, pace=usual()
    )


def test_an_answer_that_is_too_fast_and_wrong_is_proposed_for_rejection_with_its_evidence() -> None:
    *others, last = hurried(2).judgements
    assert {judgement.proposal.name for judgement in others} == {"ACCEPT"}
    assert (last.proposal.name, last.ground, last.payable_basis_points) == ("REJECT", "TOO_FAST_3SD", 0)
    assert "It came 4.00 seconds after its task was claimed" in last.evidence


def test_an_answer_that_is_fast_and_right_is_accepted() -> None:
    assert {judgement.proposal.name for judgement in hurried(0).judgements} == {"ACCEPT"}
