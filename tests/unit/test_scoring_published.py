"""The engine against published examples, and formulas against calculations of another kind."""

from dataclasses import replace
from functools import partial
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import digamma as scipy_digamma
from scipy.stats import norm

from services.scoring.aggregation.kinds.choice import overlap
from services.scoring.aggregation.kinds.number import consensus as number
from services.scoring.aggregation.kinds.order import consensus as order
from services.scoring.aggregation.kinds.text.alignment import aligned, edits
from services.scoring.aggregation.models import confusion, rings
from services.scoring.aggregation.models.configuration import DEFAULT, Member
from services.scoring.aggregation.models.crowd import Crowd, crowd
from services.scoring.aggregation.tasks.agreement import gwet, percent, value
from tests.support.crowds import answers

# Dawid and Skene (1979), table 1: what five anaesthetists say of 45 patients, the first of them three times.
PATIENTS = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212 1211111
1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121
1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""


def anaesthetists() -> Crowd:
    said = np.array([[int(label) for label in row] for row in PATIENTS.split()])
    tasks, workers = said.shape
    task, worker = np.repeat(np.arange(tasks), workers), np.tile(np.arange(workers), tasks)
    return crowd(task, worker, said.ravel() - 1, classes=4)


def test_the_patients_of_dawid_and_skene_fall_into_classes_as_published() -> None:
    votes, plain = anaesthetists(), Member(subtypes=1, strength=0.01, pooled=True, doubt=0.0, learns_prior=True)
    fit = confusion.fit(votes, np.full(45, -1, dtype=np.int32), plain, replace(DEFAULT, settled=0.0))
    # Variational Bayes, not maximum likelihood: one patient between the last two classes falls to the other side.
    np.testing.assert_allclose(fit.mass / 45, [0.40, 0.42, 0.11, 0.07], atol=0.03)


def test_ac1_of_two_abstractors_is_as_published() -> None:
    # Gwet (Handbook of Inter-Rater Reliability, 2014): 100 pregnancies in three categories, AC1 = 0.84933.
    pairs = {(0, 0): 13, (1, 1): 20, (1, 2): 7, (2, 1): 4, (2, 2): 56}
    votes = np.concatenate([np.tile(np.eye(3)[a] + np.eye(3)[b], (n, 1)) for (a, b), n in pairs.items()])
    assert value(votes, gwet) == pytest.approx(0.8493305, abs=1e-6)
    assert value(votes, percent) == pytest.approx(0.89)


def test_ac2_is_that_of_pairs_counted_one_by_one() -> None:
    votes = np.random.default_rng(0).integers(0, 4, (30, 5)).astype(float)
    near = [[1 - ((a - b) / 4) ** 2 for b in range(5)] for a in range(5)]
    agreed, share = [], np.zeros(5)
    for row in votes:
        said = [label for label in range(5) for _ in range(int(row[label]))]
        agreed += [np.mean([near[a][b] for a, b in combinations(said, 2)])] if len(said) > 1 else []
        share += row / row.sum() / len(votes)
    chance = np.sum(near) / 20 * np.sum(share * (1 - share))
    assert value(votes, partial(gwet, ordered=True)) == pytest.approx((np.mean(agreed) - chance) / (1 - chance))


def test_journals_are_as_strong_as_published(monkeypatch: pytest.MonkeyPatch) -> None:
    # Stigler (1994), as in Agresti (Categorical Data Analysis): citations among four journals of statistics, and the
    # strengths of Bradley and Terry relative to the first: -2.949, -0.480, 0.269.
    for name, precision in (("_ITEM", 1e-6), ("_CONTEXT", 1e5), ("_PAIR", 1e5), ("_SHARPNESS", 1e5), ("_LEANING", 1e5)):
        monkeypatch.setattr(order, name, precision)
    cited = {(0, 1): (730, 33), (0, 2): (498, 320), (0, 3): (221, 284), (1, 2): (68, 813), (1, 3): (17, 276)}
    cited[2, 3] = (142, 325)
    left, right, won = [], [], []
    for (a, b), (wins, losses) in cited.items():
        # Each citation once with either journal on the left, so that nobody leans.
        for first, second, points in ((a, b, 1.0), (b, a, 0.0)):
            left += [first] * (wins + losses)
            right += [second] * (wins + losses)
            won += [points] * wins + [1 - points] * losses
    sides, none = (np.array(left), np.array(right)), np.zeros(len(won), dtype=np.int64)
    votes = order.Votes(*sides, *sides, none, none, np.array(won), (4, 4, 1, 1))
    found = order.fit(votes).item
    np.testing.assert_allclose(found - found[0], [0, -2.949, -0.480, 0.269], atol=2e-3)


@pytest.mark.parametrize("pooled", [True, False])
def test_a_row_of_a_table_is_the_mean_log_of_its_dirichlet(pooled: bool) -> None:
    rng, member = np.random.default_rng(0), Member(1, 4.0, pooled, 0.5, True)
    counts = rng.gamma(1, 3, (2, 3, 3))
    table = np.empty((2, 3, 3), dtype=np.float32)
    confusion.tabulate(counts, member, DEFAULT, table)
    rows = counts.sum(axis=0).T + 3 * np.eye(3) + 1
    mean = (np.trace(counts.sum(axis=0)) + DEFAULT.right) / (counts.sum() + DEFAULT.right + DEFAULT.wrong)
    for rater, truth in product(range(2), range(3)):
        skill = (np.trace(counts[rater]) + 8 * mean) / (counts[rater].sum() + 8)
        own = np.where(np.arange(3) == truth, skill, (1 - skill) / 2)
        prior = rows[truth] / rows[truth].sum() if pooled else own
        parameters = counts[rater, :, truth] + 4 * prior + 0.5
        exact = scipy_digamma(parameters) - scipy_digamma(parameters.sum())
        np.testing.assert_allclose(table[rater, :, truth], exact, atol=1e-5)
        drawn = np.log(rng.dirichlet(parameters, 200_000))
        assert abs(drawn.mean(axis=0) - exact).max() < 5 * (drawn.std(axis=0) / np.sqrt(200_000)).max()


def test_the_worth_of_answers_is_what_they_change_when_they_are_drawn() -> None:
    rows, posterior, n = np.array([[0.75, 0.25], [0.3, 0.7]]), np.array([[0.7, 0.3]]), 9
    rng = np.random.default_rng(0)
    truth = (rng.random(200_000) < posterior[0, 1]).astype(int)
    named = rng.binomial(n, rows[truth, 1])
    evidence = np.log(rows[0] / rows[1])
    after = np.log(posterior[0, 0] / posterior[0, 1]) + (n - named) * evidence[0] + named * evidence[1]
    gained = np.mean((after < 0) == truth) - posterior[0, 0]
    assert overlap.worth(posterior, rows, np.array([n])).item() * n >= gained - 0.02
    logs = np.log(rows[0] / rows[1])
    worths = []
    for size in range(1, n + 1):
        (mean_a, mean_b), spread = rows @ logs, np.sqrt(size * (rows @ logs**2 - (rows @ logs) ** 2))
        margin = np.log(0.7 / 0.3)
        won = 0.3 * norm.cdf((-size * mean_b - margin) / spread[1])
        worths.append((won - 0.7 * norm.cdf(-(margin + size * mean_a) / spread[0])) / size)
    assert overlap.worth(posterior, rows, np.array([n])).item() == pytest.approx(max(worths), abs=1e-6)
    assert worths[-1] * n == pytest.approx(gained, abs=0.03)


def test_the_lines_of_raters_are_those_of_ridge_regression() -> None:
    rng = np.random.default_rng(0)
    worker, x = np.repeat(np.arange(4), 12), rng.normal(0, 1, 48)
    variance, y = rng.gamma(1, 0.1, 48), 1.5 * x + rng.normal(0, 1, 48)
    n, sx, sy, sxx, sxy, _ = number.sums_of(worker, 4, x, variance, y)
    slope, intercept = number.lines(n, sx, sy, sxx, sxy)
    unit = np.mean(x**2 + variance)
    for rater in range(4):
        mine = worker == rater
        # Pseudo-observations: of slope 1, of intercept 0, and for the variance of x.
        design = np.stack((x[mine], np.ones(mine.sum())), axis=1)
        extra = np.array(
            [[np.sqrt(number._SCALE * unit), 0], [0, np.sqrt(number._BIAS)], [variance[mine].sum() ** 0.5, 0]]
        )
        wanted = np.concatenate((y[mine], [np.sqrt(number._SCALE * unit), 0, 0]))
        found = np.linalg.lstsq(np.concatenate((design, extra)), wanted)[0]
        np.testing.assert_allclose([slope[rater], intercept[rater]], found, atol=1e-9)


WORDS = st.lists(st.integers(0, 3), max_size=7).map(lambda some: np.array(some, dtype=np.int32))


def distance(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    if not one or not other:
        return len(one) + len(other)
    beside = distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(beside, distance(one[1:], other) + 1, distance(one, other[1:]) + 1)


@given(WORDS, WORDS)
@settings(max_examples=60, deadline=None)
def test_edits_are_those_of_the_definition_and_the_alignment_costs_as_many(one: np.ndarray, other: np.ndarray) -> None:
    cost = edits(one, other)
    assert cost == distance(tuple(one), tuple(other)) == edits(other, one)
    places = aligned(one, other)
    assert np.all(np.diff(places) >= 0)
    beside = places % 2 == 1
    assert len(set(places[beside])) == beside.sum()
    changed = np.sum(one[places[beside] // 2] != other[beside])
    assert changed + np.sum(~beside) + len(one) - beside.sum() == cost


def test_a_rater_is_informed_as_far_as_others_agree_beyond_their_habit() -> None:
    task, worker, label, _ = answers(tasks=30, workers=6, classes=3, per_task=4)
    votes = crowd(task, worker, label, classes=3)
    found, others = rings.informedness(votes), rings.without_self(votes, None)
    common = np.bincount(votes.label, minlength=3) / votes.votes
    gains = np.empty(votes.votes)
    for vote in range(votes.votes):
        mine = votes.label[votes.worker == votes.worker[vote]]
        habit = (np.bincount(mine, minlength=3) + 2 * common) / (len(mine) + 2)
        gains[vote] = others[vote, votes.label[vote]] - habit @ others[vote]
    for rater in range(6):
        mine = gains[votes.worker == rater]
        assert found[rater] == pytest.approx((mine.sum() + 6 * gains.mean()) / (len(mine) + 6))
