"""The vault: fields sealed per person, under a key that can be destroyed."""

from __future__ import annotations

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.vault import Vault, VaultError

KEK = bytes(range(32))
VAULT = Vault(KEK)
KEY = VAULT.new_key()
PERSON = uuid4()


@given(st.binary(max_size=200))
def test_a_sealed_field_opens_again_for_the_same_person_and_field(plaintext: bytes) -> None:
    assert VAULT.open(KEY, PERSON, "iban", VAULT.seal(KEY, PERSON, "iban", plaintext)) == plaintext


def test_the_same_value_never_looks_the_same_twice() -> None:
    assert VAULT.seal(KEY, PERSON, "iban", b"x") != VAULT.seal(KEY, PERSON, "iban", b"x")


def test_another_person_field_or_key_opens_nothing() -> None:
    sealed = VAULT.seal(KEY, PERSON, "iban", b"secret")
    for key, person, field in ((KEY, uuid4(), "iban"), (KEY, PERSON, "name"), (VAULT.new_key(), PERSON, "iban")):
        with pytest.raises(VaultError):
            VAULT.open(key, person, field, sealed)


@given(st.integers(min_value=0, max_value=33 * 8))
def test_a_flipped_bit_is_noticed(bit: int) -> None:
    sealed = bytearray(VAULT.seal(KEY, PERSON, "iban", b"secret"))
    sealed[bit // 8 % len(sealed)] ^= 1 << bit % 8
    with pytest.raises(VaultError):
        VAULT.open(KEY, PERSON, "iban", bytes(sealed))


def test_a_wrapped_key_is_of_no_use_to_another_vault() -> None:
    with pytest.raises(VaultError):
        Vault(b"another key of the vault, 32 byte").seal(KEY, PERSON, "iban", b"x")


def test_blind_indexes_are_equal_for_equal_values_of_one_purpose_only() -> None:
    index = VAULT.blind_index("email", b"a@b.example")
    assert index == Vault(KEK).blind_index("email", b"a@b.example")
    assert index not in (VAULT.blind_index("email", b"c@b.example"), VAULT.blind_index("iban", b"a@b.example"))


def test_a_short_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Vault(b"short")
