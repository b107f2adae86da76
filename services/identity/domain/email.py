"""E-mail addresses: which spellings are one address."""

from __future__ import annotations

import unicodedata


def normalized(address: str) -> str:
    """The form by which an address is found: no mail provider tells two people apart by case."""
    return unicodedata.normalize("NFC", address.strip()).casefold()
