"""What decisions about an answer move, in whatever order and number they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import share
from services.payouts.domain import earning
from services.payouts.domain.earning import (
    DecidedBy,
    Decision,
    LoweredByNobody,
    PaidAnswer,
    Reserve,
    ReserveReleased,
    Terms,
    TermsContradicted,
)
from services.payouts.domain.hold import HoldReason, HoldRules, Payee, holds
from services.payouts.domain.ledger import Transfer

TASK, BATCH, VENDOR = UUID(int=1), UUID(int=2), UUID(int=3)
TERMS = Terms(
    answer_id=UUID(int=9),
    slot_id=UUID(int=8),
    task_id=TASK,
    batch_id=BATCH,
    project_id=UUID(int=4),
    vendor_id=VENDOR,
    expert_id=UUID(int=5),
    rate_card_version=3,
    tier="P1",
    amount=1000,
    currency="USD",
    fee_basis_points=2000,
    active_seconds=60,
    idle_seconds=0,
    surplus=False,
    submitted_at=datetime(2026, 11, 23, tzinfo=UTC),
)
RESERVE = Reserve(BATCH, VENDOR, "USD", 3, 2000, {"P1": range(1000, 1001)}, False)
amounts = st.integers(0, 10**9)
basis_points = st.integers(0, 10_000)


def decision(payable: int, version: int = 1, by: DecidedBy = DecidedBy.PERSON) -> Decision:
    return Decision(TASK, BATCH, version, payable, by, "")


def decided(answer: PaidAnswer, decisions: Sequence[Decision]) -> list[Transfer]:
    return [t for d in decisions for t in earning.decide(answer, d, RESERVE, share, uuid4())]


def net(transfers: Sequence[Transfer], account: str) -> int:
    return sum(t.amount * ((t.credit.code == account) - (t.debit.code == account)) for t in transfers)


@given(amounts, basis_points, st.lists(basis_points, min_size=1, max_size=6))
def test_while_lines_are_held_the_last_verdict_stands_in_full(amount: int, fee: int, verdicts: list[int]) -> None:
    answer = PaidAnswer(replace(TERMS, amount=amount, fee_basis_points=fee))
    moved = decided(answer, [decision(payable, version) for version, payable in enumerate(verdicts, 1)])
    payable = share(amount, verdicts[-1])
    assert answer.standing == payable == net(moved, f"expert:{TERMS.expert_id}:held")
    assert answer.fee == share(payable, fee) == net(moved, "platform:fee")
    assert net(moved, f"batch:{BATCH}:reserve") == -payable - answer.fee
    assert sum(line.amount - line.taken_back for line in answer.held) == payable
    assert len({t.idem for t in moved}) == len(moved)


@given(st.lists(st.tuples(st.integers(1, 5), basis_points), min_size=1, max_size=8))
def test_older_versions_and_repeats_change_nothing(come: list[tuple[int, int]]) -> None:
    verdicts = dict(come)
    answer = PaidAnswer(TERMS)
    decided(answer, [decision(verdicts[version], version) for version, _ in come])
    assert answer.standing == share(TERMS.amount, verdicts[max(verdicts)])


def test_what_has_become_payable_stays_earned() -> None:
    answer = PaidAnswer(TERMS)
    decided(answer, [decision(6000)])
    answer.held.clear()  # released
    decided(answer, [decision(10_000, 2)])
    moved = decided(answer, [decision(0, 3)])
    assert answer.standing == 600
    assert net(moved, f"expert:{TERMS.expert_id}:held") == -400


@pytest.mark.parametrize("by", [DecidedBy.CONSENSUS, DecidedBy.DEADLINE])
def test_only_a_person_lowers_what_stands(by: DecidedBy) -> None:
    answer = PaidAnswer(TERMS)
    decided(answer, [decision(5000, 1, by), decision(6000, 2, by)])
    with pytest.raises(LoweredByNobody):
        decided(answer, [decision(5900, 3, by)])


def test_an_answer_that_nobody_counted_cannot_come_after_the_release() -> None:
    released = replace(RESERVE, released=True)
    with pytest.raises(ReserveReleased):
        earning.decide(PaidAnswer(TERMS), decision(10_000), released, share, uuid4())
    known = PaidAnswer(TERMS, version=1)
    assert earning.decide(known, decision(10_000, 2), released, share, uuid4())


@pytest.mark.parametrize(
    "wrong",
    [
        {"vendor_id": uuid4()},
        {"currency": "EUR"},
        {"rate_card_version": 4},
        {"fee_basis_points": 1999},
        {"tier": "M3"},
        {"amount": 1001},
        {"amount": 999},
    ],
)
def test_terms_that_contradict_the_reserve_are_poison(wrong: dict[str, object]) -> None:
    earning.check_terms(TERMS, RESERVE)
    with pytest.raises(TermsContradicted):
        earning.check_terms(replace(TERMS, **wrong), RESERVE)  # type: ignore[arg-type]


def test_a_decision_about_another_task_is_poison() -> None:
    with pytest.raises(TermsContradicted):
        decided(PaidAnswer(TERMS), [replace(decision(1), task_id=uuid4())])


def test_every_hold_has_a_reason_and_an_end() -> None:
    rules = HoldRules(timedelta(hours=72), timedelta(days=7), timedelta(days=30))
    assert holds(Payee(True, True, True), rules) == {HoldReason.REVIEW_WINDOW: timedelta(hours=72)}
    assert holds(Payee(False, False, False), rules) == {
        HoldReason.REVIEW_WINDOW: timedelta(hours=72),
        HoldReason.FIRST_PAYOUT_HOLD: timedelta(days=7),
        HoldReason.NOT_ELIGIBLE: timedelta(days=30),
        HoldReason.VENDOR_NOT_ACTIVE: timedelta(days=30),
    }
