"""What earned money waits for: always something, the thing that keeps it, with the time that is known."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preceptor.payouts.v1 import earning_pb2

from services.payouts.domain import waiting
from services.payouts.domain.hold import HoldReason
from services.payouts.domain.waiting import WORDS, Account, Clock, Hold, Payee, Sent, Wait, WaitReason

NOW = datetime(2026, 3, 2, tzinfo=UTC)
RUN = NOW + timedelta(days=5)
LATER = NOW + timedelta(days=1)
GOOD = Payee(eligible=True, account=Account.GOOD)

payees = st.builds(
    Payee,
    eligible=st.booleans(),
    account=st.sampled_from(Account),
    usable_from=st.just(LATER),
    missing=st.integers(-1000, 1000),
)
holds = st.lists(
    st.builds(Hold, st.sampled_from(HoldReason), st.just(NOW), st.datetimes(timezones=st.just(UTC))),
    max_size=4,
    unique_by=lambda hold: hold.reason,
)


def test_every_reason_is_in_the_contract_and_has_its_words() -> None:
    named = {name.removeprefix("WAIT_REASON_") for name in earning_pb2.WaitReason.keys()}  # noqa: SIM118  # an enum
    assert named - {"UNSPECIFIED"} == {reason.value for reason in WaitReason} == {reason.value for reason in WORDS}
    assert {reason.value for reason in HoldReason} < named


@given(payees, st.booleans())
def test_a_payable_line_waits_for_the_next_run_or_for_what_keeps_it_from_being_in_one(
    payee: Payee, sending: bool
) -> None:
    waits = waiting.payable(payee, NOW, Clock(RUN, sending))
    would_be_paid = payee.eligible and payee.account is Account.GOOD and payee.missing <= 0
    assert (waits == [Wait(WaitReason.NEXT_RUN, NOW, RUN)]) == would_be_paid
    assert waits
    assert all(wait.since == NOW for wait in waits)


@pytest.mark.parametrize(
    ("payee", "reasons"),
    [
        (Payee(True, Account.NONE), ["NO_INSTRUMENT"]),
        (Payee(False, Account.NONE), ["NOT_ELIGIBLE", "NO_INSTRUMENT"]),
        (Payee(True, Account.REFUSED, refusal="account_closed"), ["INSTRUMENT_REFUSED"]),
        (Payee(True, Account.COOLING_OFF, LATER), ["INSTRUMENT_COOLING_OFF"]),
        (Payee(True, Account.GOOD, missing=1), ["BELOW_MINIMUM"]),
        (Payee(True, Account.NONE, missing=7), ["NO_INSTRUMENT", "BELOW_MINIMUM"]),
    ],
)
def test_all_that_keeps_a_line_from_being_paid_is_told(payee: Payee, reasons: list[str]) -> None:
    waits = waiting.payable(payee, NOW, Clock(RUN, sending=True))
    assert [wait.reason.value for wait in waits] == reasons
    assert [wait.until for wait in waits if wait.until] == ([LATER] if payee.usable_from else [])
    assert {wait.missing for wait in waits if wait.reason is WaitReason.BELOW_MINIMUM} <= {payee.missing}


@given(holds, payees)
def test_a_held_line_tells_its_holds_the_last_to_end_first_and_what_its_expert_can_do_meanwhile(
    stand: list[Hold], payee: Payee
) -> None:
    waits = waiting.held(stand, payee, NOW)
    timed = [wait.until for wait in waits if wait.until]
    assert timed == sorted((hold.expires_at for hold in stand), reverse=True)
    reasons = [wait.reason for wait in waits]
    assert len(set(reasons)) == len(reasons)
    assert (WaitReason.NO_INSTRUMENT in reasons) == (payee.account is Account.NONE)
    assert (WaitReason.NOT_ELIGIBLE in reasons) >= (not payee.eligible)
    assert WaitReason.BELOW_MINIMUM not in reasons


@pytest.mark.parametrize(
    ("state", "unclear", "sending", "reason"),
    [
        ("BATCHED", False, True, WaitReason.BEING_SENT),
        ("BATCHED", False, False, WaitReason.SENDING_STOPPED),
        ("SUBMITTING", False, False, WaitReason.BEING_SENT),
        ("SUBMITTED", False, True, WaitReason.PROVIDER_PROCESSING),
        ("SUBMITTED", True, True, WaitReason.PROVIDER_SILENT),
        ("UNKNOWN", True, True, WaitReason.PROVIDER_UNKNOWN),
        ("UNKNOWN", False, True, WaitReason.PROVIDER_UNKNOWN),
    ],
)
def test_a_payout_waits_for_the_provider_since_it_is_unclear(
    state: str, unclear: bool, sending: bool, reason: WaitReason
) -> None:
    wait = waiting.sent(Sent(state, NOW, LATER if unclear else None, "TimeoutError"), Clock(RUN, sending))
    assert (wait.reason, wait.since) == (reason, LATER if unclear else NOW)
    assert wait.code == ("TimeoutError" if unclear else "")
