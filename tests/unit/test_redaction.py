"""What is redacted in texts, which strangers write."""

from __future__ import annotations

import pytest

from chassis.redaction import REDACTED, redacted

AT = chr(64)


def _text(written: str) -> object:
    return redacted({"text": written})["text"]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (f"to ada.l+x{AT}mail.example, please", f"to {REDACTED}, please"),
        (f"postgresql://ada:pw{AT}db/x", f"postgresql://{REDACTED}{AT}db/x"),
        ("Bearer abc.def", f"Bearer {REDACTED}"),
        ("is eyJhbG.eyJzdWI.c2ln over?", f"is {REDACTED} over?"),
        ("token-eyJhbG.eyJzdWI.c2ln", REDACTED),
        ("a.b-c d+e", "a.b-c d+e"),
    ],
)
def test_secrets_and_addresses_in_a_text_are_replaced(written: str, told: str) -> None:
    assert _text(written) == told


@pytest.mark.parametrize("piece", ["x", "é", "eyJ", "eyJ-", "eyJ.", "a.", f"a{AT}", "://", "bearer "])
def test_a_text_of_two_million_letters_is_looked_through_to_its_end(piece: str) -> None:
    """By the square of the length, as it was done once, it would take hours."""
    written = piece * (2_000_000 // len(piece)) + f" ada{AT}mail.example"
    assert str(_text(written)).endswith(REDACTED)
