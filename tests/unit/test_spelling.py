"""Each key of a business fact has one spelling: what people write is brought to it, programs are held to it."""

from __future__ import annotations

import unicodedata
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.keys import KeyMisspelled, check_key
from services.payouts.domain import spelling
from services.payouts.domain.rail import Order, is_of

HIDDEN = "\N{ZERO WIDTH SPACE}"


@pytest.mark.parametrize(
    "key", ["a", "task 1", "A/b_c-9=", "résumé", "任務一", "\N{DEVANAGARI LETTER KA}\N{ZERO WIDTH JOINER}x"]
)
def test_a_key_that_is_written_as_keys_are_compared_is_taken(key: str) -> None:
    check_key(key, "key")


@pytest.mark.parametrize(
    ("key", "spelled"),
    [
        ("a ", "a"),
        ("\ta", "a"),
        ("a\N{NO-BREAK SPACE}", "a"),
        ("\N{ZERO WIDTH NO-BREAK SPACE}a", "a"),
        ("a" + HIDDEN, "a"),
        ("a\0b", "ab"),
        ("a\nb", "ab"),
        ("re\N{COMBINING ACUTE ACCENT}sume", "résume"),
        (" ", ""),
    ],
)
def test_a_key_that_looks_like_another_is_refused_with_how_to_write_it(key: str, spelled: str) -> None:
    with pytest.raises(KeyMisspelled) as refused:
        check_key(key, "item_key")
    assert (refused.value.field, refused.value.metadata["spelled"]) == ("item_key", spelled)
    assert repr(spelled) in refused.value.message


@given(st.text(max_size=40))
def test_of_all_spellings_that_look_alike_one_is_taken(text: str) -> None:
    taken = set()
    for key in (
        text,
        unicodedata.normalize("NFC", text),
        unicodedata.normalize("NFD", text),
        f" {text} ",
        text + HIDDEN,
    ):
        try:
            check_key(key, "key")
        except KeyMisspelled as error:
            spelled = error.metadata["spelled"]
            if spelled:
                check_key(spelled, "key")
            continue
        taken.add(key)
    assert len(taken) <= 1


@given(st.text(max_size=40))
def test_what_people_write_is_brought_to_a_spelling_that_is_its_own(text: str) -> None:
    for spell in (spelling.line_key, spelling.account, spelling.told_reference, spelling.visible):
        assert spell(spell(text)) == spell(text) == spell(f" {text}{HIDDEN}\t")


def test_an_account_is_the_same_in_groups_and_another_in_other_cases() -> None:
    assert spelling.account(" DE89 3704\N{NO-BREAK SPACE}0044 ") == "DE8937040044"
    assert spelling.account("acct_1aB") != spelling.account("acct_1AB")


def test_a_reference_that_a_bank_has_padded_or_lowered_is_still_ours() -> None:
    assert spelling.told_reference(" abc d234567 ") == "ABCD234567"
    order = Order(UUID(int=1), "ABCD234567", 5, "USD", "acct")
    assert is_of(order, {"reference": "abcd234567   ", "amount_minor": 5, "currency": "USD"})
    assert not is_of(order, {"reference": "ABCD234568", "amount_minor": 5, "currency": "USD"})
