"""The posterior of the one-coin model, against numbers worked out from its definition."""

from collections.abc import Sequence
from fractions import Fraction
from math import isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.aggregation import choice
from services.scoring.domain.reliability import GREATEST, Record, reliability, weight
from services.scoring.domain.votes import Ballot

QUALITIES = st.floats(0.4, GREATEST)
VOTES = st.lists(st.tuples(st.integers(0, 2), QUALITIES), min_size=1, max_size=12)


def ballots(votes: Sequence[tuple[int, float]], classes: int = 3) -> list[Ballot]:
    return [Ballot(label, 0, weight(quality, classes)) for label, quality in votes]


def posterior(votes: Sequence[tuple[int, float]], classes: int = 3) -> tuple[float, ...]:
    return choice.posterior(choice.evidence(ballots(votes, classes), classes))


def enumerated(votes: Sequence[tuple[int, str]], classes: int) -> list[Fraction]:
    """Bayes' rule by the definition: the product of each vote's probability, for each right label, in fractions."""
    likelihood = []
    for right in range(classes):
        product = Fraction(1)
        for label, quality in votes:
            q = Fraction(quality)
            product *= q if label == right else (1 - q) / (classes - 1)
        likelihood.append(product)
    return [each / sum(likelihood) for each in likelihood]


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        # Fresh raters: q = 3/4, each wrong label 1/8; the odds of a vote are 6 to 1.
        ([(0, 0.75)], ["3/4", "1/8", "1/8"]),
        ([(0, 0.75), (0, 0.75)], ["18/19", "1/38", "1/38"]),
        ([(0, 0.75)] * 3, ["108/109", "1/218", "1/218"]),
        ([(0, 0.75), (2, 0.75)], ["6/13", "1/13", "6/13"]),
        ([(0, 0.75), (0, 0.75), (2, 0.75)], ["36/43", "1/43", "6/43"]),
        ([(0, 0.75), (1, 0.75), (2, 0.75)], ["1/3", "1/3", "1/3"]),
        # q = 9/10: odds 18 to 1; q = 1/2: odds 2 to 1. One good rater outweighs two poor ones.
        ([(0, 0.9), (2, 0.5), (2, 0.5)], ["18/23", "1/23", "4/23"]),
    ],
)
def test_the_posterior_is_what_bayes_rule_gives_by_hand(votes: list[tuple[int, float]], expected: list[str]) -> None:
    assert posterior(votes) == pytest.approx([float(Fraction(each)) for each in expected], abs=1e-12)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_posterior_is_the_enumeration_over_right_labels(classes: int) -> None:
    votes = [(0, "0.8"), (1, "0.6"), (1, "0.7"), (classes - 1, "0.55"), (0, "0.9")]
    expected = [float(each) for each in enumerated(votes, classes)]
    assert posterior([(label, float(q)) for label, q in votes], classes) == pytest.approx(expected, abs=1e-12)


def test_a_further_rater_is_foretold_by_summing_over_right_labels() -> None:
    # P(right) = 18/19, 1/38, 1/38 and a fresh rater's 3/4 and 1/8: 18/19 * 3/4 + 1/19 * 1/8 = 109/152.
    expected = [109 / 152, 43 / 304, 43 / 304]
    assert choice.of_a_further_rater([18 / 19, 1 / 38, 1 / 38]) == pytest.approx(expected, abs=1e-12)


def test_the_weight_of_a_fresh_rater_is_log_six_nats() -> None:
    assert weight(reliability(Record(), 3), 3) == pytest.approx(log(6), abs=1e-12)


def test_reliability_moves_from_the_prior_to_the_record() -> None:
    assert reliability(Record(), 3) == 0.75
    assert reliability(Record(8, 8), 3) == (6 + 8) / (8 + 8)
    assert reliability(Record(2, 12), 3) == pytest.approx(0.4)  # 8/20, which is the least that is taken, too
    assert reliability(Record(0, 100), 3) == pytest.approx(0.4)
    assert reliability(Record(1000, 1000), 3) == 0.95


@pytest.mark.parametrize("classes", range(2, 33))
def test_no_rater_is_evidence_against_their_own_label(classes: int) -> None:
    assert weight(reliability(Record(0, 1e6), classes), classes) > 0


def test_the_best_rater_outweighs_two_fresh_ones_and_not_three() -> None:
    best, fresh = weight(reliability(Record(1e6, 1e6), 3), 3), weight(reliability(Record(), 3), 3)
    assert 2 * fresh < best < 3 * fresh


@given(VOTES, st.randoms(use_true_random=False))
def test_the_order_of_votes_does_not_show(votes: list[tuple[int, float]], random: object) -> None:
    shuffled = sorted(votes, key=lambda _: random.random())  # type: ignore[attr-defined]
    assert posterior(shuffled) == posterior(votes)


@given(VOTES, st.permutations(range(3)))
def test_new_names_for_the_labels_give_the_same_numbers_under_new_names(
    votes: list[tuple[int, float]], names: list[int]
) -> None:
    renamed = posterior([(names[label], quality) for label, quality in votes])
    assert tuple(renamed[name] for name in names) == posterior(votes)


@given(VOTES, QUALITIES)
def test_one_more_vote_for_the_top_label_never_lowers_its_confidence(
    votes: list[tuple[int, float]], quality: float
) -> None:
    before = posterior(votes)
    top = before.index(max(before))
    after = posterior([*votes, (top, quality)])
    assert after[top] >= before[top] - 1e-12


@given(QUALITIES, QUALITIES, st.integers(0, 2))
def test_one_or_two_answers_say_what_their_majority_says(first: float, second: float, label: int) -> None:
    for votes in ([(label, first)], [(label, first), (label, second)]):
        assert choice.leaders(choice.evidence(ballots(votes), 3)) == [label]


@given(VOTES)
def test_probabilities_sum_to_one(votes: list[tuple[int, float]]) -> None:
    assert isclose(sum(posterior(votes)), 1, abs_tol=1e-12)
    assert isclose(sum(choice.of_a_further_rater(posterior(votes))), 1, abs_tol=1e-12)
