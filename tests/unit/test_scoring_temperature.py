"""How sure posteriors may be, by what gold costs at each temperature, over projects, vendors and all."""

from __future__ import annotations

from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.aggregation.live.pool import Gone, Pool, Votes
from services.scoring.aggregation.live.temperature import TEMPERATURES, at, judged_by, losses, temperature
from services.scoring.aggregation.models.calibration import learned
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import Floats, Ints

NONE = np.zeros(len(TEMPERATURES))
NOBODY = np.empty(0, dtype=np.int64)
STEP = TEMPERATURES[1] / TEMPERATURES[0]


def gold(sure: float, right: int, wrong: int) -> tuple[Floats, Ints]:
    """Members that all give the first of two labels this probability, of which so many are right."""
    truth = np.array([0] * right + [1] * wrong, dtype=np.int64)
    members = np.tile(np.array([sure, 1 - sure]), (4, len(truth), 1))
    return members, truth


def test_a_loss_is_the_log_probability_of_the_truth_at_the_power_one_over_the_temperature() -> None:
    found = losses(*gold(0.8, 1, 1))
    for heat, loss in zip(TEMPERATURES.tolist(), found.tolist(), strict=True):
        right, wrong = 0.8 ** (1 / heat), 0.2 ** (1 / heat)
        assert loss == pytest.approx(-log(right / (right + wrong)) - log(wrong / (right + wrong)))


def test_without_gold_it_is_the_one_of_the_configuration() -> None:
    assert temperature(NONE, NONE, NONE) == DEFAULT.temperature
    assert at(None) is DEFAULT
    assert at(2.0).temperature == 2.0


@pytest.mark.parametrize(("right", "wrong"), [(40, 0), (30, 10), (22, 18)])
def test_with_gold_of_one_project_alone_it_is_what_the_batch_learns(right: int, wrong: int) -> None:
    members, truth = gold(0.95, right, wrong)
    own = losses(members, truth)
    expected = learned(members, truth, DEFAULT).temperature
    assert temperature(own, NONE, NONE) == pytest.approx(expected, rel=STEP - 1)


def test_who_is_too_sure_is_made_less_sure_and_who_is_not_sure_enough_more() -> None:
    assert temperature(losses(*gold(0.95, 24, 16)), NONE, NONE) > DEFAULT.temperature * 1.3
    assert temperature(losses(*gold(0.7, 40, 0)), NONE, NONE) < DEFAULT.temperature / 1.3


def test_a_project_with_little_gold_follows_its_vendor_and_one_with_much_its_own() -> None:
    vendor = losses(*gold(0.95, 120, 80))
    follows = temperature(NONE, vendor, NONE)
    little = losses(*gold(0.95, 2, 0))
    much = losses(*gold(0.95, 300, 0))
    assert temperature(little, vendor, NONE) == pytest.approx(follows, rel=0.15)
    assert temperature(much, vendor, vendor) < follows / 1.5


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
@settings(max_examples=50)
def test_more_wrong_gold_never_makes_surer(right: int, wrong: int, others_right: int, others_wrong: int) -> None:
    everybody = losses(*gold(0.9, others_right, others_wrong))
    own = [losses(*gold(0.9, right, wrong + more)) for more in (0, 5)]
    found = [temperature(each, NONE, everybody) for each in own]
    assert found[0] <= found[1]


def test_what_a_pool_says_of_other_items_is_what_it_would_say_and_leaves_it_as_it_was() -> None:
    chance = np.random.default_rng(3)
    pool = Pool.empty(30, 4, 3)
    label = chance.integers(0, 3, 30).repeat(4).astype(np.int32)
    label[::5] = 0
    worker = np.tile(np.arange(4, dtype=np.int32), 30)
    first = Votes(np.arange(30), np.arange(31) * 4, np.zeros(30, dtype=np.int64), worker, label)
    pool.step(first, Gone(NOBODY, NOBODY, NOBODY))
    before = [pool.coin.correct.copy(), *(model.counts.copy() for model in pool.matrices), pool.given.copy()]
    other = Votes(np.array([0]), np.array([0, 3]), np.array([0]), worker[:3], np.array([1, 1, 2], dtype=np.int32))
    [found] = judged_by(pool, other).mean(axis=0)
    assert found.argmax() == 1
    after = [pool.coin.correct, *(model.counts for model in pool.matrices), pool.given]
    for was, now in zip(before, after, strict=True):
        np.testing.assert_array_equal(was, now)
