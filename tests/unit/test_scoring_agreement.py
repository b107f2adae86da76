"""The agreement panel against published examples."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.aggregation.tasks.agreement import (
    LEAST_TASKS,
    Distance,
    Tallies,
    alpha,
    bootstrap,
    distinct,
    gwet,
    panel,
    percent,
    sums,
    value,
)

# Krippendorff (2011), section C: four observers, twelve units, 0 for none.
OBSERVERS = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]
LEVELS = np.arange(1.0, 6.0)


def votes() -> np.ndarray:
    values = np.array(OBSERVERS).T
    return np.stack([(values == level).sum(axis=1) for level in range(1, 6)], axis=1).astype(float)


@pytest.mark.parametrize(
    ("distance", "published"), [(Distance.NOMINAL, 0.743), (Distance.ORDINAL, 0.815), (Distance.INTERVAL, 0.849)]
)
def test_alpha_is_as_published(distance: Distance, published: float) -> None:
    assert value(votes(), partial(alpha, distance=distance, levels=LEVELS)) == pytest.approx(published, abs=5e-4)


def test_ac1_is_as_published() -> None:
    # Gwet (Handbook of Inter-Rater Reliability) gives AC1 = 0.77544 and p_a = 0.81818 for the same ratings.
    assert value(votes(), gwet) == pytest.approx(0.77544, abs=5e-5)
    assert value(votes(), percent) == pytest.approx(0.81818, abs=5e-5)


def test_ac2_of_two_labels_is_ac1() -> None:
    binary = np.array([[3.0, 1], [0, 4], [2, 2], [4, 0]])
    assert value(binary, partial(gwet, ordered=True)) == pytest.approx(value(binary, gwet))


def test_tasks_counted_by_their_votes_are_the_tasks_one_by_one() -> None:
    kinds = distinct(votes())
    assert len(kinds.votes) < kinds.times.sum() == 12
    one_by_one = sums(votes(), np.ones((1, 12)))
    for by_kind, expected in zip(sums(kinds.votes, kinds.times[None, :].astype(float)), one_by_one, strict=True):
        assert by_kind == pytest.approx(expected)


def test_an_interval_holds_its_value() -> None:
    found = bootstrap(distinct(votes()), {"alpha": alpha})
    assert found["alpha"].low < found["alpha"].value <= found["alpha"].high
    assert found == bootstrap(distinct(votes()), {"alpha": alpha})


def test_the_interval_is_that_of_tasks_drawn_one_by_one() -> None:
    rng, tasks = np.random.default_rng(7), np.repeat(votes(), 20, axis=0)
    drawn = [value(tasks[rng.integers(0, len(tasks), len(tasks))], alpha) for _ in range(400)]
    found = bootstrap(distinct(tasks), {"alpha": alpha})["alpha"]
    assert (found.low, found.high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_not_applicable_is_left_out_of_what_is_ordered() -> None:
    with_not_applicable = np.hstack([votes(), np.ones((12, 1))])
    found = panel(distinct(with_not_applicable), LEVELS)
    assert found["alpha_interval"].value == pytest.approx(0.849, abs=5e-4)
    assert found["alpha_nominal"].value < 0.6
    assert found.keys() - panel(distinct(votes())).keys() == {"alpha_ordinal", "alpha_interval", "ac2"}


def test_without_pairs_there_is_no_agreement_to_tell() -> None:
    assert np.isnan([value(np.eye(3), figure) for figure in (alpha, gwet, percent)]).all()
    assert np.isnan(panel(Tallies(np.zeros((0, 3)), np.zeros(0, dtype=np.int64)))["ac1"]).all()


def intervals(cells: list[list[int]]) -> dict[str, bool]:
    """Which figures of these votes have an interval."""
    found = panel(distinct(np.array(cells, dtype=float)), np.arange(1.0, 1 + len(cells[0])))
    return {name: not np.isnan(interval.low) for name, interval in found.items()}


@pytest.mark.parametrize("tasks", range(1, LEAST_TASKS))
def test_too_few_tasks_have_figures_and_no_interval(tasks: int) -> None:
    cells = [[2, 1, 0], [0, 2, 0], [1, 0, 2], [0, 0, 3]][:tasks]
    found = panel(distinct(np.array(cells, dtype=float)), np.arange(1.0, 4.0))
    assert not np.isnan([interval.value for interval in found.values()]).any()
    assert not any(intervals(cells).values())


def test_tasks_with_one_vote_do_not_make_an_interval() -> None:
    assert not any(intervals([[2, 1, 0], *[[1, 0, 0]] * 50, *[[0, 1, 0]] * 50]).values())


def test_where_everybody_always_agrees_there_is_nothing_to_tell_an_interval_by() -> None:
    same, all_agree = [[3, 0, 0]] * 20, [[3, 0, 0], [0, 3, 0]] * 10
    for cells in (same, all_agree):
        found = panel(distinct(np.array(cells, dtype=float)), np.arange(1.0, 4.0))
        assert [interval.value for interval in found.values()] == pytest.approx([1.0] * len(found))
        assert not any(intervals(cells).values())


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any), min_size=1, max_size=12), st.booleans()
)
def test_an_interval_has_a_width_and_stands_on_tasks_enough(cells: list[list[int]], ordered: bool) -> None:
    found = panel(distinct(np.array(cells, dtype=float)), np.arange(1.0, 4.0) if ordered else None)
    paired = sum(sum(row) >= 2 for row in cells)
    for interval in found.values():
        assert np.isnan(interval.value) == (paired == 0)
        assert np.isnan(interval.low) == np.isnan(interval.high)
        assert np.isnan(interval.low) or (interval.low < interval.high <= 1 + 1e-9 and paired >= LEAST_TASKS)
