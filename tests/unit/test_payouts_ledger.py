"""Transfers: same key once, floors hold, links tell every change."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso4217 import Currency

from services.payouts.domain import accounts, ledger
from services.payouts.domain.ledger import BalanceTooLarge, KeyReused, Overdraft, Transfer
from services.payouts.service import SERVICE

VENDOR, EXPERT = UUID(int=1), UUID(int=2)
PREFUND = accounts.prefund(VENDOR, "USD")
HELD = accounts.held(EXPERT, "USD")
FEE = accounts.platform_fee("USD")
BANK = accounts.bank("USD")
ALL = [PREFUND, HELD, FEE, BANK]
MOST = 10_000
NOW = datetime(2026, 11, 23, tzinfo=UTC)

transfers = st.lists(
    st.builds(
        lambda key, legs, amount: Transfer(f"k{key}", legs[0], legs[1], amount, "test"),
        st.integers(0, 1000),
        st.permutations(ALL),
        st.integers(1, 100),
    ),
    max_size=30,
)


@given(transfers)
def test_a_batch_moves_money_and_makes_none(batch: list[Transfer]) -> None:
    balances = dict.fromkeys(ALL, 50)
    with suppress(Overdraft):
        ledger.move(balances, batch, MOST)
    assert sum(balances.values()) == 50 * len(ALL)
    assert all(balances[account] >= 0 for account in (PREFUND, HELD, FEE))


def test_an_overdraft_names_account_and_what_is_missing() -> None:
    with pytest.raises(Overdraft) as raised:
        ledger.move({PREFUND: 60, HELD: 0}, [Transfer("k", PREFUND, HELD, 100, "test")], MOST)
    assert raised.value.metadata["account"] == PREFUND.code
    assert raised.value.metadata["missing"] == "40"


def test_no_more_comes_in_by_an_account_than_the_ledger_keeps() -> None:
    balances = {BANK: 100 - MOST, PREFUND: MOST - 100}
    ledger.move(balances, [Transfer("k", BANK, PREFUND, 100, "deposit")], MOST)
    with pytest.raises(BalanceTooLarge) as raised:
        ledger.move(balances, [Transfer("l", BANK, PREFUND, 1, "deposit")], MOST)
    assert raised.value.metadata == {"account": BANK.code, "currency": "USD", "key": "l", "most_minor": str(MOST)}
    ledger.move(balances, [Transfer("m", PREFUND, BANK, 1, "back")], MOST)


def test_accounts_of_the_world_outside_have_no_floor() -> None:
    balances = {BANK: 0, PREFUND: 0}
    ledger.move(balances, [Transfer("k", BANK, PREFUND, 100, "deposit")], MOST)
    assert balances == {BANK: -100, PREFUND: 100}


@given(transfers, st.integers(1, 3))
def test_a_key_is_booked_once_however_often_it_comes(batch: list[Transfer], times: int) -> None:
    first = list({t.business_key: t for t in reversed(batch)}.values())
    fresh = ledger.unposted(first * times, {})
    assert [t.idem for t in fresh] == [t.idem for t in first]
    assert ledger.unposted(first, {t.idem: t.body_hash for t in fresh}) == []


def test_a_key_with_other_figures_is_refused_in_the_journal_and_in_the_batch() -> None:
    one, other = (Transfer("k", PREFUND, HELD, amount, "test") for amount in (1, 2))
    with pytest.raises(KeyReused):
        ledger.unposted([other], {one.idem: one.body_hash})
    with pytest.raises(KeyReused):
        ledger.unposted([one, other], {})


def test_the_trace_of_a_transfer_is_no_part_of_its_money() -> None:
    one, other = (Transfer("k", PREFUND, HELD, 1, "test", {"batch": batch}) for batch in "ab")
    assert ledger.unposted([other], {one.idem: one.body_hash}) == []


@pytest.mark.parametrize(
    ("debit", "credit", "amount"),
    [(PREFUND, PREFUND, 1), (PREFUND, HELD, 0), (PREFUND, HELD, -1), (PREFUND, accounts.held(EXPERT, "EUR"), 1)],
)
def test_what_is_no_transfer_cannot_be_made(debit: accounts.Account, credit: accounts.Account, amount: int) -> None:
    with pytest.raises(ValueError, match="not a transfer"):
        Transfer("k", debit, credit, amount, "test")


def test_a_link_tells_every_change_of_its_row() -> None:
    seq, idem, body, cause = 1, uuid4(), b"body", {"batch": "b"}
    links = {
        ledger.link(seq, idem, body, cause, NOW),
        ledger.link(2, idem, body, cause, NOW),
        ledger.link(seq, uuid4(), body, cause, NOW),
        ledger.link(seq, idem, b"another", cause, NOW),
        ledger.link(seq, idem, body, {"batch": "c"}, NOW),
        ledger.link(seq, idem, body, cause, NOW + timedelta(microseconds=1)),
    }
    assert len(links) == 6


def test_currencies_have_the_decimals_of_the_standard() -> None:
    sql = (SERVICE.migrations / "0001_ledger.sql").read_text()
    for currency in Currency:
        stated = f"('{currency.code}', {currency.exponent})"
        assert (stated in sql) == (currency.exponent is not None)
