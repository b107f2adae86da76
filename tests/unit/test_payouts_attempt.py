"""What a provider's replies mean, and what an attempt becomes by them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payouts.domain import attempt, rail
from services.payouts.domain.attempt import ENDED, AttemptState, Step, after
from services.payouts.domain.rail import NeverTaken, Order, Outcome, RailFacts, Refused, Taken, TransferState, Unclear

FACTS = RailFacts("double", timedelta(hours=24), True, timedelta(minutes=5))
TAKEN = {"id": "tr_1", "state": "processing"}
PROCESSING, PAID, LOST = (
    Taken("tr_1", TransferState.PROCESSING),
    Taken("tr_1", TransferState.PAID),
    Taken("tr_1", TransferState.FAILED, "account_closed"),
)
outcomes: st.SearchStrategy[Outcome] = st.sampled_from(
    [PROCESSING, PAID, LOST, Refused("invalid_destination"), NeverTaken(), Unclear("500")]
)


def error(code: str) -> object:
    return {"error": {"code": code, "message": "x"}}


@pytest.mark.parametrize(
    ("status", "body", "meaning"),
    [
        (201, TAKEN, PROCESSING),
        (201, {"id": "tr_1", "state": "paid"}, PAID),
        (200, {"id": "tr_1", "state": "returned", "failure_code": "account_closed"}, LOST),
        (422, error("invalid_destination"), Refused("invalid_destination")),
        (400, error("invalid_request"), Refused("invalid_request")),
    ],
)
def test_a_reply_in_the_providers_own_words_is_definite(status: int, body: object, meaning: Outcome) -> None:
    assert rail.classify(status, body) == meaning


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, error("internal")),
        (503, None),
        (429, error("throttled")),
        (408, error("timeout")),
        (409, error("in_flight")),
        (409, error("idempotency_key_reused")),
        (401, error("unauthenticated")),  # of this call: an earlier one under the key may have moved money
        (422, "<html>"),
        (404, "<html>"),
        (302, None),
        (201, {}),
        (201, {"id": "tr_1", "state": "strange"}),
    ],
)
def test_everything_else_is_unclear(status: int, body: object) -> None:
    assert isinstance(rail.classify(status, body), Unclear)


@given(st.sampled_from(sorted(AttemptState, key=str)), outcomes)
def test_no_outcome_moves_an_attempt_back(state: AttemptState, outcome: Outcome) -> None:
    rank = [AttemptState.CREATED, AttemptState.SUBMITTING, AttemptState.UNKNOWN, AttemptState.SUBMITTED]
    step = after(state, outcome)
    assert step is None or step.state in ENDED or rank.index(step.state) >= rank.index(state)
    assert step is None or state not in ENDED


@given(st.lists(outcomes.filter(lambda o: not isinstance(o, NeverTaken | Refused)), max_size=6))
def test_what_the_provider_has_taken_is_never_given_up(told: list[Outcome]) -> None:
    state = AttemptState.SUBMITTED
    for outcome in [*told, Refused("late"), NeverTaken()]:
        state = step.state if (step := after(state, outcome)) else state
    assert state in {AttemptState.SUBMITTED, AttemptState.PAID, AttemptState.FAILED}
    assert state is not AttemptState.FAILED or LOST in told


def test_an_unclear_reply_leaves_the_attempt_unknown_and_its_payout_with_it() -> None:
    step = after(AttemptState.SUBMITTING, Unclear("reset"))
    assert step == Step(AttemptState.UNKNOWN)
    assert attempt.payout_state(AttemptState.UNKNOWN) == "UNKNOWN"


def test_one_that_never_reached_the_provider_is_batched_anew() -> None:
    step = after(AttemptState.UNKNOWN, NeverTaken())
    assert step is not None
    assert attempt.payout_state(step.state) == "BATCHED"


def test_sending_again_stops_well_before_the_key_is_forgotten() -> None:
    assert attempt.resend_span(FACTS) == timedelta(hours=19, minutes=12)


def test_an_attempt_is_exposed_from_first_to_last_sending_by_any_clock() -> None:
    start = datetime(2026, 11, 23, tzinfo=UTC)
    since, until = attempt.exposure(start, start + timedelta(hours=1), FACTS)
    assert (since, until) == (start - timedelta(minutes=5), start + timedelta(hours=1, minutes=5))


@given(st.integers(0, 10_000))
def test_looks_become_rarer_but_never_rarer_than_hourly(tries: int) -> None:
    wait = attempt.delay(timedelta(seconds=10), tries, timedelta(hours=1))
    assert timedelta(seconds=10) <= wait <= timedelta(hours=1)


def test_a_reference_fits_every_bank_and_never_repeats() -> None:
    references = {rail.new_reference() for _ in range(1000)}
    assert len(references) == 1000
    assert all(re.fullmatch(r"[A-Z2-7]{15}", reference) for reference in references)


def test_the_body_of_an_order_is_told_by_its_hash() -> None:
    order = Order(UUID(int=1), "REF", 100, "USD", "acct")
    others = [
        Order(UUID(int=1), "REG", 100, "USD", "acct"),
        Order(UUID(int=1), "REF", 101, "USD", "acct"),
        Order(UUID(int=1), "REF", 100, "EUR", "acct"),
        Order(UUID(int=1), "REF", 100, "USD", "acct2"),
    ]
    assert order.body_hash() not in {other.body_hash() for other in others}
    assert not rail.is_of(order, {"reference": "REF", "amount_minor": 101, "currency": "USD"})
