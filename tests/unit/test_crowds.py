"""Made-up crowds and the frozen list: what the benchmarks of consensus stand on."""

from __future__ import annotations

import numpy as np
import pytest

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.models.crowd import Crowd, tally
from tests.benchmarks.crowds import frozen, regret
from tests.benchmarks.crowds.families import FAMILIES, crowd_of
from tests.benchmarks.crowds.made import Role, thinned

AT_7513170 = {
    "majority": 60.9900,
    "one coin": 61.5804,
    "crowd": 89.9183,
    "subtypes": 79.8365,
    "wawa": 62.9428,
    "dawid-skene": 74.6594,
    "mixture": 73.2970,
}
"""What each gets right of the crowd below, in per cent; the members' and mixture's by the engine of that day."""


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_makes_the_same_crowd_of_a_seed_for_ever_and_tells_what_is_true_of_it(family: str) -> None:
    one, again, other = crowd_of(family, 3), crowd_of(family, 3), crowd_of(family, 4)
    np.testing.assert_array_equal(one.crowd.label, again.crowd.label)
    assert one.crowd.votes != other.crowd.votes or (one.crowd.label != other.crowd.label).any()
    assert len(one.truth) == one.crowd.tasks
    assert one.truth.max() < one.crowd.classes
    assert len(one.role) == len(one.ring) == one.crowd.workers
    assert one.crowd.sizes.min() >= 1
    assert ((one.role == Role.COPIER) == (one.ring >= 0)).all()


def test_nobody_answers_a_task_twice_and_a_thinned_crowd_keeps_so_many_of_each() -> None:
    some = crowd_of("decent", 0).crowd
    assert len(np.unique(some.task * some.workers + some.worker)) == some.votes
    few = thinned(np.random.default_rng(0), some, 2)
    np.testing.assert_array_equal(few.sizes, np.minimum(some.sizes, 2))
    assert set(zip(few.task.tolist(), few.worker.tolist(), few.label.tolist(), strict=True)) <= set(
        zip(some.task.tolist(), some.worker.tolist(), some.label.tolist(), strict=True)
    )


def test_the_frozen_list_finds_what_it_found_at_commit_7513170() -> None:
    made = crowd_of("graded", 20)
    found = {
        name: 100 * float(measures.hits(posterior, made.truth).mean())
        for name, posterior in frozen.posteriors(made.crowd).items()
    }
    assert found == pytest.approx(AT_7513170, abs=1e-3)


def test_regret_is_against_the_best_of_the_list_and_zero_for_it() -> None:
    made = crowd_of("miss_half", 1)
    judged = regret.Judged("any name", made.crowd, made.truth)
    best = frozen.posteriors(made.crowd)[judged.best]
    assert judged.lead(best).tolist() == [0.0] * made.crowd.tasks
    assert judged.lead(tally(made.crowd)).mean() < 0


def test_an_interval_holds_what_is_true_nineteen_times_in_twenty() -> None:
    rng = np.random.default_rng(0)
    holds = [
        found.low <= 2.0 <= found.high for found in (regret.interval(rng.normal(0.02, 0.3, 400)) for _ in range(400))
    ]
    assert 0.92 <= np.mean(holds) <= 0.98


def test_against_majority_majority_itself_is_level_at_every_number_of_answers() -> None:
    made = crowd_of("few_of_each", 0)
    some = [regret.Judged("any name", made.crowd, made.truth)]

    def majority(crowd: Crowd) -> np.ndarray:
        return tally(crowd)

    assert [lead.mean for _, lead in regret.against_majority(some, majority, range(2))] == [0.0] * 6
