"""A pool as its votes come: what it counts, what a step depends on, what a fit finds, and how it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.aggregation.live import stored
from services.scoring.aggregation.live.pool import Gone, Pool, Votes
from services.scoring.aggregation.live.stored import Rater
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.confusion import class_shares
from services.scoring.aggregation.models.crowd import Crowd, Floats, crowd, tally
from services.scoring.aggregation.models.prior import Prior
from tests.support.crowds import answers

ITEMS, WORKERS, CLASSES = 4, 5, 3
CAST = st.tuples(st.integers(0, ITEMS - 1), st.integers(0, WORKERS - 1), st.none() | st.integers(0, CLASSES - 1))
BATCHES = st.lists(st.lists(CAST, min_size=1, max_size=6), min_size=1, max_size=6)
Said = tuple[int, int, int | None]


@dataclass
class Stepped:
    """A pool, and the votes that it counts, by item and rater."""

    pool: Pool = field(default_factory=lambda: Pool.empty(ITEMS, WORKERS, CLASSES))
    counted: dict[int, dict[int, int]] = field(default_factory=lambda: {item: {} for item in range(ITEMS)})

    def take(self, batch: Iterable[Said], order: Sequence[int] = range(ITEMS)) -> None:
        """One step by what raters say to items, who replace what they have said; `order` is that of the items."""
        latest: dict[int, dict[int, int | None]] = {}
        for item, worker, label in batch:
            latest.setdefault(item, {})[worker] = label
        touched = [item for item in order if item in latest]
        gone = [
            (item, w, self.counted[item].pop(w)) for item in touched for w in latest[item] if w in self.counted[item]
        ]
        known = [len(self.counted[item]) for item in touched]
        for item in touched:
            self.counted[item] |= {worker: label for worker, label in latest[item].items() if label is not None}
        self.pool.step(votes_of(touched, self.counted, known), Gone(*np.array(gone, np.int64).reshape(-1, 3).T))


def votes_of(touched: Sequence[int], votes: Mapping[int, Mapping[int, int]], known: Sequence[int]) -> Votes:
    return Votes(
        np.array(touched),
        np.cumsum([0, *(len(votes[item]) for item in touched)]),
        np.array(known),
        np.array([worker for item in touched for worker in votes[item]], np.int32),
        np.array([label for item in touched for label in votes[item].values()], np.int32),
    )


def stepped(batches: Iterable[Iterable[Said]]) -> Stepped:
    """A pool that has taken batches one after another."""
    state = Stepped()
    for batch in batches:
        state.take(batch)
    return state


def made_up(seed: int = 0, prior: Prior | None = None) -> tuple[Pool, Crowd]:
    """A pool that was fitted to made-up votes."""
    task, worker, label, _ = answers(tasks=60, workers=9, classes=CLASSES, per_task=4, seed=seed)
    votes = crowd(task, worker, label, classes=CLASSES)
    pool = Pool.empty(votes.tasks, votes.workers, CLASSES)
    pool.coin.prior = prior or pool.coin.prior
    pool.fit(votes)
    return pool, votes


@settings(deadline=None)
@given(BATCHES)
def test_counts_are_the_sums_of_what_items_hold_whoever_has_replaced_what(batches: list[list[Said]]) -> None:
    state = stepped(batches)
    pool, votes = state.pool, [(i, w, label) for i, cast in state.counted.items() for w, label in cast.items()]
    correct, given_ = np.zeros(WORKERS), np.zeros(CLASSES)
    counts = [np.zeros_like(model.counts) for model in pool.matrices]
    for item, worker, label in votes:
        given_[label] += 1
        correct[worker] += pool.coin.held[item, label]
        for model, summed in zip(pool.matrices, counts, strict=True):
            summed[worker, label] += model.held[item]
    assert pool.given.tolist() == given_.tolist()
    assert pool.coin.total.tolist() == np.bincount([w for _, w, _ in votes], minlength=WORKERS).tolist()
    np.testing.assert_allclose(pool.coin.correct, correct, atol=1e-6)
    for model, summed in zip(pool.matrices, counts, strict=True):
        np.testing.assert_allclose(model.counts, summed, atol=1e-6)
        np.testing.assert_allclose(model.crowd, summed.sum(axis=0), atol=1e-6)
        np.testing.assert_allclose(model.mass, model.held.sum(axis=0), atol=1e-6)


@settings(deadline=None)
@given(BATCHES, st.permutations(range(ITEMS)))
def test_a_step_does_not_depend_on_the_order_of_items(batches: list[list[Said]], order: list[int]) -> None:
    there, shuffled = stepped(batches[:-1]), stepped(batches[:-1])
    there.take(batches[-1])
    shuffled.take(batches[-1], order)
    assert_alike(shuffled.pool, there.pool, 1e-9)
    np.testing.assert_array_equal(shuffled.pool.coin.held, there.pool.coin.held)
    for one, other in zip(shuffled.pool.matrices, there.pool.matrices, strict=True):
        np.testing.assert_array_equal(one.held, other.held)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_the_one_coin_of_a_first_step_is_bayes_rule_by_its_definition(classes: int) -> None:
    right, wrong = np.array([8.0, 3, 7, 11, 9]), np.array([2.0, 2, 3, 9, 1])
    labels = np.array([0, 1, 1, classes - 1, 0])
    pool = Pool.empty(1, 5, classes)
    pool.coin.prior = Prior(right, wrong)
    pool.step(votes_of([0], {0: dict(enumerate(labels.tolist()))}, [0]), Gone(*np.empty((3, 0), np.int64)))
    expected = class_shares(np.bincount(labels, minlength=classes).astype(np.float64))
    for q, label in zip(right / (right + wrong), labels, strict=True):
        expected *= np.where(np.arange(classes) == label, q, (1 - q) / (classes - 1))
    np.testing.assert_allclose(pool.coin.held[0], expected / expected.sum(), atol=1e-6)


def test_raters_who_agree_on_many_items_of_one_batch_are_believed_as_if_they_had_come_one_by_one() -> None:
    # What a rater says now is no evidence on the rater before it is scored: not for them, and not against them.
    labels = {item: dict.fromkeys(range(2), item % CLASSES) for item in range(30)}
    pool = Pool.empty(30, 2, CLASSES)
    pool.step(votes_of(range(30), labels, [0] * 30), nothing_gone())
    assert pool.coin.held.argmax(axis=1).tolist() == [item % CLASSES for item in range(30)]
    np.testing.assert_allclose(pool.coin.held.max(axis=1), 18 / 19, rtol=1e-6)


@pytest.mark.parametrize("seed", range(3))
def test_a_fit_is_exactly_what_the_models_of_the_batch_find(seed: int) -> None:
    pool, votes = made_up(seed)
    found = pool.members(np.arange(votes.tasks), tally(votes))
    for one, other in zip(found, mixture.members(votes), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(found[:3], mixture.members(votes)[:3])


@pytest.mark.parametrize("cells", [0, 9 * CLASSES**2])
def test_where_tables_are_too_large_to_be_held_the_one_coin_stands_in_as_it_does_in_the_batch(cells: int) -> None:
    config = replace(DEFAULT, cells=cells)
    task, worker, label, _ = answers(tasks=60, workers=9, classes=CLASSES, per_task=4, seed=0)
    votes = crowd(task, worker, label, classes=CLASSES)
    pool = Pool.empty(votes.tasks, votes.workers, CLASSES, config)
    pool.fit(votes)
    assert len(pool.matrices) == (cells > 0)
    found = pool.members(np.arange(votes.tasks), tally(votes))
    np.testing.assert_allclose(found, mixture.members(votes, config), rtol=0, atol=1e-7)


def test_what_is_assumed_of_raters_weighs_in_a_fit() -> None:
    poor = np.full(9, 1.0)
    poor[0] = 16.0
    (distrusted, votes), (plain, _) = made_up(prior=Prior(np.full(9, 3.0), poor)), made_up()
    weight = [pool.coin.weights(CLASSES, DEFAULT) for pool in (distrusted, plain)]
    assert weight[0][0] < weight[1][0] - 0.5
    of_first = votes.task[votes.worker == 0]
    label = votes.label[votes.worker == 0]
    beliefs = [pool.members(of_first, tally(votes)[of_first]).mean(axis=0) for pool in (distrusted, plain)]
    assert np.mean(beliefs[0][np.arange(len(label)), label]) < np.mean(beliefs[1][np.arange(len(label)), label])


def test_a_fit_leaves_a_state_that_the_next_step_goes_on_from() -> None:
    pool, votes = made_up()
    before = [model.crowd.sum() for model in pool.matrices], pool.coin.total.sum()
    pool.step(Votes(np.array([0]), votes.starts[:2], np.diff(votes.starts[:2]), *first(votes)), nothing_gone())
    after = [model.crowd.sum() for model in pool.matrices], pool.coin.total.sum()
    assert after[0] == pytest.approx(before[0])
    assert after[1] == before[1] == votes.votes


def test_what_is_kept_is_read_as_it_was_and_kept_again_alike() -> None:
    pool, votes = made_up(prior=Prior(np.linspace(3, 9, 9), np.linspace(1, 2, 9)))
    again = loaded(pool)
    assert_alike(again, pool, 1e-4)  # the raters' counts are kept as narrow floats
    np.testing.assert_array_equal(again.given, pool.given)
    np.testing.assert_array_equal(again.coin.prior, pool.coin.prior)
    for one, other in zip(again.matrices, pool.matrices, strict=True):
        np.testing.assert_array_equal((one.mass, one.crowd.sum(axis=0)), (other.mass, other.crowd.sum(axis=0)))
        np.testing.assert_array_equal(one.held, other.held)
    assert kept(again) == kept(pool)
    assert {len(held) for held in stored.item_states(pool)} == {stored.item_bytes(CLASSES)}
    assert len(stored.item_states(pool)) == votes.tasks


def test_a_part_without_raters_is_kept_as_one_with_some() -> None:
    state, raters, items = kept(stored.load(CLASSES, b"", [], [b"", b""]))
    assert (len(raters), len(items)) == (0, 2)
    assert stored.load(CLASSES, state, [], items).given.tolist() == [0] * CLASSES


def test_without_bytes_nothing_is_counted() -> None:
    fresh = stored.load(CLASSES, b"", [Rater((3.0, 1.0))] * WORKERS, [b""] * ITEMS)
    assert kept(fresh) == kept(Pool.empty(ITEMS, WORKERS, CLASSES))
    assert stored.load(CLASSES, b"", [], [b""]).coin.held.tolist() == [[0.0] * CLASSES]


def test_a_step_of_a_part_is_the_step_of_the_whole() -> None:
    whole, votes = made_up()
    raters, part_of = np.unique(first(votes)[0]), loaded(whole)
    part = stored.load(
        CLASSES,
        stored.pool_state(whole),
        [rater_of(whole, n) for n in raters.tolist()],
        stored.item_states(whole)[:1],
        whole.coin.crowd,
    )
    worker, label = first(votes)
    known = np.array([len(worker)])
    starts = np.array([0, len(worker)])
    gone = Gone(np.array([0]), np.array([0]), label[:1].astype(np.int64))
    part.step(
        Votes(
            np.array([0]),
            np.array([0, len(worker) - 1]),
            known - 1,
            np.searchsorted(raters, worker[1:]).astype(np.int32),
            label[1:],
        ),
        gone._replace(worker=np.searchsorted(raters, worker[:1])),
    )
    part_of.step(
        Votes(np.array([0]), starts - [0, 1], known - 1, worker[1:], label[1:]),
        gone._replace(worker=worker[:1].astype(np.int64)),
    )
    np.testing.assert_allclose(part.coin.held[0], part_of.coin.held[0], atol=1e-6)
    np.testing.assert_allclose(part.coin.correct, part_of.coin.correct[raters], atol=1e-6)
    for one, other in zip(part.matrices, part_of.matrices, strict=True):
        np.testing.assert_allclose(one.held[0], other.held[0], atol=1e-6)
        np.testing.assert_allclose(one.counts, other.counts[raters], atol=1e-6)
        np.testing.assert_allclose(one.crowd, other.crowd, atol=1e-6)


def first(votes: Crowd) -> tuple[np.ndarray, np.ndarray]:
    """The raters and the labels of the first item's votes."""
    return votes.worker[: votes.starts[1]], votes.label[: votes.starts[1]]


def nothing_gone() -> Gone:
    return Gone(*np.empty((3, 0), np.int64))


def rater_of(pool: Pool, number: int) -> Rater:
    coin = pool.coin
    prior = float(coin.prior.right[number]), float(coin.prior.wrong[number])
    return Rater(prior, coin.correct[number], coin.total[number], stored.rater_states(pool)[number])


def loaded(pool: Pool) -> Pool:
    """The pool as it is read when it was kept."""
    raters = [rater_of(pool, number) for number in range(len(pool.coin.total))]
    return stored.load(pool.classes, stored.pool_state(pool), raters, stored.item_states(pool), pool.coin.crowd)


def kept(pool: Pool) -> tuple[bytes, list[bytes], list[bytes]]:
    return stored.pool_state(pool), stored.rater_states(pool), stored.item_states(pool)


def assert_alike(one: Pool, other: Pool, atol: float) -> None:
    """Asserts that the counts of two pools are alike."""
    pairs: list[tuple[Floats, Floats]] = [(one.coin.correct, other.coin.correct), (one.coin.total, other.coin.total)]
    for model, its in zip(one.matrices, other.matrices, strict=True):
        pairs += [(model.counts, its.counts), (model.crowd, its.crowd), (model.mass, its.mass)]
    for there, here in pairs:
        np.testing.assert_allclose(there, here, rtol=0, atol=atol)
