"""Keys that callers choose, such as a vendor's key of a task: each is written in one way, or refused.

To take two spellings for one key and give back the other than was sent would break whoever looks its own key up; to
take them for two would store, and pay, a thing twice. So a key has to come as it is compared: in Unicode NFC, without
control characters, with nothing at its ends that nobody sees. Case makes a difference.
"""

from __future__ import annotations

import unicodedata

from chassis.errors import InvalidArgument

_RULE = (
    "A key is written in Unicode NFC, without control characters, and without white space or hidden marks at its ends."
)


class KeyMisspelled(InvalidArgument):
    """A key is not written as keys are compared."""

    reason = "KEY_MISSPELLED"


def check_key(key: str, field: str) -> None:
    """Raises `KeyMisspelled`, with how it would be written, unless a key is written as keys are compared."""
    if key.isascii() and key.isprintable() and key.strip() == key:
        return
    if (spelled := _spelled(key)) != key:
        raise KeyMisspelled(f"{_RULE} This one: {spelled!r}.", field=field, spelled=spelled)


def _spelled(key: str) -> str:
    shown = "".join(char for char in unicodedata.normalize("NFC", key) if unicodedata.category(char) != "Cc")
    ends = [place for place, char in enumerate(shown) if not (char.isspace() or unicodedata.category(char) == "Cf")]
    return unicodedata.normalize("NFC", shown[ends[0] : ends[-1] + 1]) if ends else ""
