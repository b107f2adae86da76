"""The one spelling in which names of business facts are compared, where people or banks write them.

What differs by it is another fact; what does not is the same one. Each says what makes no difference.
"""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf"})


def visible(text: str) -> str:
    """A text as a person sees it: without characters that have no looks, white space a single blank, none around."""
    return " ".join("".join(" " if char.isspace() else char for char in text if _has_looks(char)).split())


def line_key(reference: str) -> str:
    """The key of a line of the bank, as a person typed it: case, white space, width and marks make no difference."""
    return _solid(_nfkc(visible(reference)).casefold())


def account(destination: str) -> str:
    """An account at a provider, as a person typed it: white space, width and marks make no difference, case does."""
    return _solid(visible(destination))


def told_reference(reference: str) -> str:
    """A reference of ours, of capitals and digits, as a bank or a provider tells it: case and padding make none."""
    return _nfkc(account(reference).upper())


def _solid(text: str) -> str:
    """In NFKC and without white space."""
    return _nfkc("".join(char for char in _nfkc(text) if not char.isspace() and _has_looks(char)))


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _has_looks(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) not in _UNSEEN
