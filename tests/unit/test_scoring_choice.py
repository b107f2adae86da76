"""What is found of one question: the label chosen, how sure it is, and what holds whatever the votes."""

from collections.abc import Sequence
from math import isclose, log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation.kinds.choice import consensus as choice
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.one_coin import weights
from services.scoring.aggregation.types.aggregator import Stated
from services.scoring.aggregation.types.pairwise_preference import AGGREGATOR
from services.scoring.domain.consensus import Consensus
from services.scoring.domain.stopping import greatest_weight
from tests.support.findings import FRESH, found

ASKED = Question(id="preference")
PRIORS = st.tuples(st.integers(3, 30), st.integers(1, 3)).map(lambda pair: (float(pair[0]), float(pair[1])))
VOTES = st.lists(st.tuples(st.integers(0, 2), PRIORS), min_size=1, max_size=9)
Voted = Sequence[tuple[int, tuple[float, float]]]
without_deadline = settings(deadline=None)  # the first run compiles


def consensus(votes: Voted) -> Consensus:
    """The consensus of labels by raters of whom so much is assumed."""
    said, priors = [Stated(label) for label, _ in votes], [prior for _, prior in votes]
    finding = found(AGGREGATOR, ASKED, said, priors=priors)
    assert finding.consensus is not None
    return finding.consensus


def of_fresh(*labels: int) -> Consensus:
    return consensus([(label, FRESH) for label in labels])


def weight(correct: float, total: float, classes: int = 3) -> float:
    """The evidence of a vote of a rater who was right so often, in nats, where nothing is known of the others."""
    [nats] = weights(np.array([correct]), np.array([total]), classes, DEFAULT, crowd=(0.0, 0.0)).tolist()
    return float(nats)


def test_one_vote_is_believed_less_than_two_and_two_less_than_three() -> None:
    sure = [of_fresh(*[0] * votes).confidence for votes in (1, 2, 3)]
    assert sure == pytest.approx([0.747, 0.918, 0.976], abs=1e-3)


def test_a_vote_against_takes_more_than_a_vote_for_gives() -> None:
    assert of_fresh(0, 0, 2).confidence < of_fresh(0).confidence < of_fresh(0, 0).confidence


def test_labels_that_nobody_names_are_alike() -> None:
    _, one, other = of_fresh(0, 0).probabilities
    assert one == pytest.approx(other)


def test_a_rater_of_whom_good_is_known_outweighs_one_of_whom_nothing_is_and_two_who_are_poor() -> None:
    good, poor = (8.0, 1.0), (1.0, 1.0)
    assert consensus([(0, good), (2, FRESH)]).label == 0
    assert consensus([(0, good), (2, poor), (2, poor)]).label == 0
    assert consensus([(0, good), (2, FRESH), (2, FRESH)]).label == 2


def test_at_a_draw_the_kind_of_answer_decides_among_those_that_lead() -> None:
    seen: list[tuple[int, Sequence[int]]] = []

    def last(question: int, leading: Sequence[int]) -> int:
        seen.append((question, leading))
        return leading[-1]

    # What rounding does is a draw; without a vote there is nothing to decide.
    posterior = np.array([[0.46, 0.1, 0.44], [0.45, 0.1, 0.45], [0.45, 0.1, 0.45 - 1e-6], [1 / 3, 1 / 3, 1 / 3]])
    votes = np.array([[1, 0, 1]] * 3 + [[0, 0, 0]])
    told = choice.consensus(posterior, votes, np.zeros(4), last)
    assert [each.label for each in told[:3]] == [0, 2, 2]
    assert seen == [(1, [0, 2]), (2, [0, 2])]


def test_the_lead_is_the_evidence_between_the_first_and_the_second() -> None:
    assert Consensus(0, (0.8, 0.0, 0.2), 0.0, unanimous=False).lead == pytest.approx(log(4))
    assert Consensus(0, (0.5, 0.5), 0.0, unanimous=False).lead == 0
    assert Consensus(0, (1.0, 0.0), 0.0, unanimous=True).lead == float("inf")


def test_votes_are_unanimous_when_all_name_one_label() -> None:
    assert of_fresh(1, 1).unanimous
    assert not of_fresh(1, 1, 0).unanimous


def test_a_further_rater_is_foretold_by_summing_over_right_labels() -> None:
    # P(right) = 18/19, 1/38, 1/38 and a fresh rater's 3/4 and 1/8: 18/19 * 3/4 + 1/19 * 1/8 = 109/152.
    expected = [109 / 152, 43 / 304, 43 / 304]
    assert choice.of_a_further_rater([18 / 19, 1 / 38, 1 / 38]) == pytest.approx(expected, abs=1e-12)


def test_the_weight_of_a_fresh_rater_is_log_six_nats() -> None:
    assert weight(0, 0) == pytest.approx(log(6))


def test_the_weight_moves_from_the_prior_to_the_record() -> None:
    # q = (correct + 6) / (total + 8); the evidence is log(2 q / (1 - q)).
    assert weight(8, 8) == pytest.approx(log(2 * 7))
    assert weight(2, 12) == pytest.approx(log(2 * 8 / 12))
    assert weight(1000, 1000) > greatest_weight(3) > weight(8, 8)
    assert weight(0, 16) < 0  # who is wrong nearly always is evidence against what they name


@without_deadline
@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_show(votes: Voted, random: object) -> None:
    shuffled = sorted(votes, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert consensus(shuffled).probabilities == pytest.approx(consensus(votes).probabilities, abs=1e-5)


@without_deadline
@given(VOTES, st.permutations(range(3)))
def test_new_names_for_the_labels_give_the_same_numbers_under_new_names(votes: Voted, names: list[int]) -> None:
    renamed = consensus([(names[label], prior) for label, prior in votes]).probabilities
    there = consensus(votes).probabilities
    assert [renamed[name] for name in names] == pytest.approx(there, abs=1e-5)


@without_deadline
@given(VOTES, PRIORS)
def test_one_more_vote_for_the_top_label_never_lowers_its_confidence(votes: Voted, prior: tuple[float, float]) -> None:
    before = consensus(votes)
    after = consensus([*votes, (before.label, prior)])
    assert after.probabilities[before.label] >= before.confidence - 1e-3


@without_deadline
@given(PRIORS, PRIORS, st.integers(0, 2))
def test_one_or_two_answers_say_what_their_majority_says(
    first: tuple[float, float], second: tuple[float, float], label: int
) -> None:
    for votes in ([(label, first)], [(label, first), (label, second)]):
        assert consensus(votes).label == label


@without_deadline
@given(VOTES)
def test_probabilities_sum_to_one(votes: Voted) -> None:
    probabilities = consensus(votes).probabilities
    assert isclose(sum(probabilities), 1, abs_tol=1e-9)
    assert isclose(sum(choice.of_a_further_rater(probabilities)), 1, abs_tol=1e-9)
