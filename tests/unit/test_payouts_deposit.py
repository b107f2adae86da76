"""What names a deposit, and who may reverse how much of it."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.payouts.domain import deposit as rules
from services.payouts.domain.deposit import Deposit, InvalidBankReference, Reversal, bank_reference

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ALICE, BOB = UUID(int=1), UUID(int=2)
DEPOSIT = Deposit(UUID(int=3), UUID(int=4), 1000, "USD", "line-1")
REVERSAL = Reversal(UUID(int=5), DEPOSIT, 1000, ALICE, "PROPOSED", NOW + timedelta(days=7))


@pytest.mark.parametrize(
    "typed",
    [
        "RF18 5390-äb",
        " rf18 5390-äb ",
        "RF185390-ÄB",
        "RF18\t5390-ÄB\n",
        "RF18\N{NO-BREAK SPACE}5390-A\N{COMBINING DIAERESIS}B",
        "\N{FULLWIDTH LATIN CAPITAL LETTER R}F185390\N{ZERO WIDTH SPACE}-Äb\N{ZERO WIDTH NO-BREAK SPACE}",
        "RF18\0 5390-\N{SOFT HYPHEN}äb",
    ],
)
def test_a_line_of_the_bank_is_the_same_however_it_is_typed(typed: str) -> None:
    assert bank_reference(typed).key == "rf185390-äb"


def test_a_reference_is_kept_as_it_was_typed_but_for_what_nobody_sees() -> None:
    assert bank_reference("  RF18\0  5390-ÄB\N{ZERO WIDTH SPACE} ").text == "RF18 5390-ÄB"


@pytest.mark.parametrize(
    "typed",
    ["", "   ", "\0", "\N{ZERO WIDTH SPACE}\t", "x" * 65, "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 8],
)
def test_a_reference_without_looks_or_too_long_is_refused(typed: str) -> None:
    with pytest.raises(InvalidBankReference) as refused:
        bank_reference(typed)
    assert refused.value.field == "bank_reference"


@given(st.text(max_size=64))
def test_a_key_is_its_own_key_and_no_spelling_makes_it_another(text: str) -> None:
    try:
        line = bank_reference(text)
    except InvalidBankReference:
        return
    for spelled in (line.text, line.key, unicodedata.normalize("NFD", text), f" {text}\N{ZERO WIDTH SPACE} "):
        assert bank_reference(spelled).key == line.key


@given(amount=st.integers(-10, 1010), taken=st.integers(0, 1000), currency=st.sampled_from(["USD", "EUR"]))
def test_no_more_of_a_deposit_is_reversed_than_is_left(amount: int, taken: int, currency: str) -> None:
    good = currency == "USD" and 0 < amount <= 1000 - taken
    if good:
        rules.check_proposal(replace(DEPOSIT, reversed=taken), amount, currency)
        return
    with pytest.raises(rules.InvalidReversal) as refused:
        rules.check_proposal(replace(DEPOSIT, reversed=taken), amount, currency)
    assert refused.value.metadata == {"left_minor": str(1000 - taken), "currency": "USD"}


def test_who_proposed_does_not_approve_whatever_account_is_used() -> None:
    rules.check_approval(REVERSAL, BOB, free=1000)
    with pytest.raises(rules.SecondPersonNeeded):
        rules.check_approval(REVERSAL, ALICE, free=1000)


def test_money_that_is_reserved_or_spent_is_not_reversed_and_what_is_missing_is_told() -> None:
    with pytest.raises(rules.DepositInUse) as refused:
        rules.check_approval(REVERSAL, BOB, free=999)
    assert refused.value.metadata == {"free_minor": "999", "missing_minor": "1", "currency": "USD"}


@pytest.mark.parametrize(("state", "ago"), [("APPROVED", 0), ("REJECTED", 0), ("EXPIRED", 8), ("PROPOSED", 7)])
def test_what_is_decided_or_too_old_is_not_decided_again(state: str, ago: int) -> None:
    rules.check_open(REVERSAL, NOW)
    with pytest.raises(rules.ReversalEnded):
        rules.check_open(replace(REVERSAL, state=state), NOW + timedelta(days=ago))


def test_both_transfers_are_in_the_journal_and_cancel_out() -> None:
    there, back = rules.booked(DEPOSIT, bank_reference("line-1"), 1), rules.reversed_(REVERSAL)
    assert (there.debit, there.credit, there.amount) == (back.credit, back.debit, back.amount)
    assert there.cause["deposit"] == back.cause["deposit"]
    again = rules.booked(DEPOSIT, bank_reference("line-1"), 2)
    assert len({there.idem, back.idem, again.idem}) == 3
