"""Each kind of answer as answers come: what a step leaves, what a fit ends at, and how the state is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.scoring.aggregation.kinds.number import consensus as number
from services.scoring.aggregation.kinds.order import consensus as order
from services.scoring.aggregation.kinds.order.consensus import Known, Pairs, Strengths
from services.scoring.aggregation.kinds.order.live import LivePreferences
from services.scoring.aggregation.kinds.spans import consensus as spans
from services.scoring.aggregation.kinds.text import consensus as text
from services.scoring.aggregation.live.bytes import unpack
from services.scoring.aggregation.models import mixture
from tests.support.live_kinds import (
    CHOICE,
    KINDS,
    NUMERIC,
    PAIRS,
    PREFERENCE,
    SPANS,
    TASKS,
    TEXT,
    WORKERS,
    Kind,
    Rows,
    S,
    State,
)

SEEDS = st.integers(0, 10_000)
# So many of 400 answers are fitted; the rest is too little for the next fit.
FITTED = 370


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind[State]:
    return KINDS[request.param]


def stepped(kind: Kind[S], rows: Rows, size: int = 10) -> S:
    """The state after a fit of most answers and small steps of the rest."""
    return kind.after([rows.only(slice(0, FITTED)), *rows.only(slice(FITTED, None)).steps(size)])


def replaced(rows: Rows, others: Rows) -> tuple[Rows, Rows]:
    """Twenty of the answers that were fitted, as their raters say them anew; and all answers with those at the end."""
    what = others.what[:20]
    new = Rows(rows.task[:20], rows.worker[:20], what)
    both = rows.what, what
    joined = np.concatenate(both) if isinstance(what, np.ndarray) else [*both[0], *both[1]]
    return new, Rows(np.append(rows.task, new.task), np.append(rows.worker, new.worker), joined)


@pytest.mark.parametrize("name", KINDS)
@given(seed=SEEDS)
@settings(max_examples=4, deadline=None)
def test_a_fit_ends_at_the_batch_in_whatever_order_and_however_often_answers_came(name: str, seed: int) -> None:
    kind, rng = KINDS[name], np.random.default_rng(seed)
    rows = kind.rows(seed)
    twice = rows.only(rng.permutation(np.repeat(np.arange(len(rows)), 2)))
    state = kind.after(twice.steps(int(rng.integers(50, 300))))
    state.fit()
    np.testing.assert_allclose(kind.told(state), kind.batch(rows), rtol=0, atol=1e-6)


def test_of_repeats_by_one_rater_the_last_is_fitted(kind: Kind[State]) -> None:
    new, all_of_them = replaced(kind.rows(1), kind.rows(2))
    state = stepped(kind, kind.rows(1))
    state.take(new.task, new.worker, new.what)
    state.fit()
    np.testing.assert_allclose(kind.told(state), kind.batch(all_of_them), rtol=0, atol=1e-6)


def test_an_answer_that_comes_again_leaves_every_byte_as_it_was(kind: Kind[State]) -> None:
    rows = kind.rows(3)
    state = stepped(kind, rows)
    before = state.packed()
    for step in rows.steps(40):
        state.take(step.task, step.worker, step.what)
    assert state.packed() == before


def test_a_step_changes_what_is_told_before_the_next_fit(kind: Kind[State]) -> None:
    rows = kind.rows(4)
    told, fitted = kind.told(stepped(kind, rows)), kind.told(kind.after([rows.only(slice(0, FITTED))]))
    assert told.shape != fitted.shape or abs(told - fitted).max() > 1e-3


def test_a_step_does_not_depend_on_the_order_of_its_answers(kind: Kind[State]) -> None:
    rows = kind.rows(5)
    some, rest = rows.only(slice(0, FITTED)), rows.only(slice(FITTED, None))
    one, other = kind.after([some, rest]), kind.after([some, rest.only(np.arange(len(rest))[::-1])])
    np.testing.assert_allclose(kind.told(one), kind.told(other), rtol=0, atol=1e-4)


def test_what_is_kept_is_read_as_it_was_and_goes_on_alike(kind: Kind[State]) -> None:
    rows = kind.rows(6)
    state = stepped(kind, rows.only(slice(0, 390)))
    again = type(state).of(state.packed())
    np.testing.assert_allclose(kind.told(again), kind.told(state), rtol=0, atol=1e-6)
    assert unpack(again.packed()).keys() == unpack(state.packed()).keys()
    last = rows.only(slice(390, None))
    for one in (state, again):
        one.take(last.task, last.worker, last.what)
    np.testing.assert_allclose(kind.told(again), kind.told(state), rtol=0, atol=1e-5)
    for one in (state, again):
        one.fit()
    np.testing.assert_array_equal(kind.told(again), kind.told(state))


def test_bytes_of_a_state_that_was_read_are_those_that_it_was_read_from(kind: Kind[State]) -> None:
    state = kind.after([kind.rows(7)])
    assert type(state).of(state.packed()).packed() == state.packed()


def test_nothing_but_the_state_before_the_first_answer_is_kept_and_read(kind: Kind[State]) -> None:
    empty = kind.fresh()
    again, rows = type(empty).of(empty.packed()), kind.rows(8)
    again.take(rows.task, rows.worker, rows.what)
    np.testing.assert_array_equal(kind.told(again), kind.told(kind.after([rows])))


def test_sums_of_numbers_are_those_of_what_tasks_hold_whoever_has_replaced_what() -> None:
    kind = NUMERIC
    state, (new, _) = stepped(kind, kind.rows(1)), replaced(kind.rows(1), kind.rows(2))
    state.take(new.task, new.worker, new.what)
    scores, (theta, variance) = state.scores(), state.held
    sums = number.sums_of(scores.worker, WORKERS, theta[scores.task], variance[scores.task], state.link(scores.value))
    assert state.choice is not None
    np.testing.assert_allclose(state.sums, sums, atol=1e-9)
    np.testing.assert_allclose(state.moments, number.moments(theta, variance), atol=1e-9)
    np.testing.assert_allclose(state.totals[1], np.bincount(scores.task, scores.value, TASKS))


def test_a_first_negative_number_has_the_logarithm_given_up() -> None:
    kind = NUMERIC
    state = kind.after([kind.rows(1).only(slice(0, FITTED))])
    logarithmic = state.choice
    state.take(np.array([0]), np.array([0]), np.array([-3.0]))
    assert (logarithmic, state.choice) in {(True, False), (True, None)}
    assert np.isfinite(state.consensus()[0]).all()


def test_scores_that_are_large_and_alike_lose_no_precision() -> None:
    kind = NUMERIC
    rows = kind.rows(1)
    near, far = (number.Scores(rows.task, rows.worker, rows.what + by, TASKS, WORKERS) for by in (0.0, 1e8))
    one, other = (number.fit(scores, logarithmic=False).consensus() for scores in (near, far))
    np.testing.assert_allclose(other - 1e8, one, atol=1e-5)


def test_the_few_answers_of_a_beginning_are_told_by_their_mean() -> None:
    state = NUMERIC.fresh()
    for value in (2.0, 4.0):
        state.take(np.array([0]), np.array([int(value)]), np.array([value]))
    assert state.consensus()[0][0] == 3


def test_errors_of_texts_are_those_by_the_drafts_whoever_has_replaced_what() -> None:
    kind = TEXT
    rows, others = kind.rows(1), kind.rows(2)
    state, (new, all_of_them) = stepped(kind, rows), replaced(rows, others)
    state.take(new.task, new.worker, new.what)
    used = all_of_them.standing()
    texts = [text.Text(*one) for one in zip(used.task.tolist(), used.worker.tolist(), used.what, strict=True)]
    np.testing.assert_allclose(state.errors, text.Errors.of(texts, state.drafts, WORKERS))


def test_counts_of_spans_are_those_of_the_pieces_by_now_however_tasks_were_cut() -> None:
    kind = SPANS
    state, (new, all_of_them) = stepped(kind, kind.rows(1)), replaced(kind.rows(1), kind.rows(2))
    state.take(new.task, new.worker, new.what)
    used, counts, mass, given_ = all_of_them.standing(), np.zeros((WORKERS, 2, 2)), np.zeros(2), np.zeros(2)
    model = state.pool.matrices[0]
    for task in range(TASKS):
        mine = np.flatnonzero(used.task == task)
        answers = [(int(used.worker[n]), used.what[n]) for n in mine]
        pieces = spans.cut(answers)
        held = model.held[state._items[task]].astype(np.float64)
        mass += held.sum(axis=0)
        for piece, worker, marked in zip(*spans.votes_on([(pieces, answers)]), strict=True):
            counts[worker, marked] += held[piece]
            given_[marked] += 1
    np.testing.assert_allclose(model.counts, counts, atol=1e-5)
    np.testing.assert_allclose(model.mass, mass, atol=1e-5)
    np.testing.assert_array_equal(state.pool.given, given_)


def test_a_step_of_preferences_is_the_map_by_its_votes_and_moves_nothing_else() -> None:
    kind = PREFERENCE
    rows = kind.rows(1)
    state = kind.after([rows.only(slice(0, FITTED))])
    x, precision, step = state.x.copy(), state.precision.copy(), rows.only(slice(FITTED, FITTED + 10))
    state.take(step.task, step.worker, step.what)
    votes = PAIRS.votes(step.task, step.worker, step.what, state.sizes)
    whole = order.most_probable(votes, Known(x, precision, np.zeros_like(x)))
    np.testing.assert_allclose(state.x, whole, atol=1e-4)
    untouched = np.setdiff1d(np.arange(TASKS), step.task)
    np.testing.assert_array_equal(state.strengths.pair[untouched], Strengths.of(x, state.sizes).pair[untouched])
    assert (state.precision >= precision).all()


def test_a_preference_that_is_replaced_weighs_no_more() -> None:
    pairs = Pairs(np.array([0]), np.array([1]), np.array([0]), np.array([1]))
    sizes = pairs.sizes(60)
    many = np.arange(60)
    state = LivePreferences(pairs, 60)
    state.take(np.zeros(60, np.int64), many, np.ones(60))
    before, precision = state.strengths.item[0], state.precision.copy()
    state.take(np.array([0]), np.array([0]), np.array([0.0]))
    assert state.strengths.item[0] < before
    state.take(np.array([0]), np.array([0]), np.array([1.0]))
    assert state.strengths.item[0] == pytest.approx(before, abs=0.02)
    np.testing.assert_allclose(state.precision, precision, rtol=0.05)
    assert state.sizes == sizes


def test_the_curvature_of_preferences_is_how_their_gradient_changes() -> None:
    rng = np.random.default_rng(0)
    sizes = PAIRS.sizes(WORKERS)
    task, worker = np.arange(TASKS), rng.integers(0, WORKERS, TASKS)
    # Of leanings and strengths the loss is that of a linear model: its own second derivative.
    x = rng.normal(0, 0.3, sum(sizes) + WORKERS + 1)
    votes = PAIRS.votes(task, worker, rng.choice([0, 0.5, 1.0], TASKS), sizes)

    def slope(at: np.ndarray) -> np.ndarray:
        now = Strengths.of(at, sizes)
        return order.gradient(now, votes, now.logits(votes))

    now = Strengths.of(x, sizes)
    found = order.curvature(now, votes, now.logits(votes))
    sharpness = sum(sizes[:3]) + np.arange(WORKERS)
    for place in np.setdiff1d(np.arange(len(x)), sharpness):
        step = np.eye(len(x))[place] * 1e-5
        assert found[place] == pytest.approx((slope(x + step) - slope(x - step))[place] / 2e-5, abs=1e-6)


def test_gold_is_certain_from_the_start_and_teaches_what_it_teaches_the_batch() -> None:
    kind = CHOICE
    rows, gold = kind.rows(1), np.full(TASKS, -1, dtype=np.int32)
    gold[:30] = 1
    state = kind.fresh()
    state.gold = gold
    first = rows.only(slice(0, 100))
    state.take(first.task, first.worker, first.what)
    np.testing.assert_array_equal(state.posterior()[:30], np.tile([0.0, 1, 0], (30, 1)))
    rest = rows.only(slice(100, None))
    state.take(rest.task, rest.worker, rest.what)
    state.fit()
    np.testing.assert_allclose(state.posterior(), mixture.consensus(state.crowd(), gold), atol=1e-6)
