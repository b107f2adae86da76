"""Passwords: how they are spelled, and which ones nobody may choose.

Spelled as RFC 8265 (OpaqueString) prepares them: composed, so that a phone and a laptop agree on an "é", and every
space the same space; case and everything else is as typed. Unlike there, characters that are too new for this Python's
Unicode are taken: what is right must not depend on who checks it. A choice is held to NIST SP 800-63B-4, section
3.1.1.2: long enough, and none that others would try first. There is no rule on what characters are in it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Container, Iterable
from itertools import pairwise

from chassis.errors import InvalidArgument

LEAST = 8
LEAST_OF_STAFF = 15
"""Staff move money and see evidence, and the password is all that they show."""
SERVICE_NAME = "preceptor"

_FEW_CHARACTERS = 4
# What is left of a password when its owner's name and address are taken out must be worth guessing by itself.
_LEAST_OF_ITS_OWN = 6
# Of a word from an address or a name: shorter ones stand in too many passwords by chance.
_LEAST_OF_A_WORD = 3
_MOST_ADDED = 4


class PasswordTooShort(InvalidArgument):
    """The password is too short: take more characters, like four words that have nothing to do with each other."""

    reason = "PASSWORD_TOO_SHORT"


class PasswordGuessable(InvalidArgument):
    """Others would try this password first: take another, like four words that have nothing to do with each other."""

    reason = "PASSWORD_GUESSABLE"


class PasswordUnreadable(InvalidArgument):
    """The password has a control character, which cannot be typed everywhere: leave it out."""

    reason = "PASSWORD_UNREADABLE"


def spelled(password: str) -> str:
    """The one spelling of a password, which is hashed."""
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in password)
    return unicodedata.normalize("NFC", spaced)


def spellings(password: str) -> tuple[str, ...]:
    """What is checked of a typed password: its one spelling, and if that differs the characters as they came, for
    passwords that were set before there was one.
    """
    one = spelled(password)
    return (one,) if one == password else (one, password)


def check_choice(password: str, common: Container[str], about: Iterable[str], least: int = LEAST) -> None:
    """Whether somebody may choose a password, spelled as it will be hashed. `common` are those that many have, in lower
    case; `about` is what is known of the person: address and name.

    Raises `PasswordUnreadable`, `PasswordTooShort`, or `PasswordGuessable` saying in `because` why.
    """
    if any(unicodedata.category(character) == "Cc" for character in password):
        raise PasswordUnreadable(field="password")
    if len(password) < least:
        raise PasswordTooShort(
            f"The password needs at least {least} characters, like four words that have nothing to do with each other.",
            field="password",
            least=str(least),
        )
    if because := _guessable(password.casefold(), common, about):
        raise PasswordGuessable(field="password", because=because)


def _guessable(folded: str, common: Container[str], about: Iterable[str]) -> str:
    """Why a password is among the first guesses; nothing if it is not."""
    if len(set(folded)) < _FEW_CHARACTERS:
        return "FEW_CHARACTERS"
    if len({ord(after) - ord(before) for before, after in pairwise(folded)}) == 1:
        return "SEQUENCE"
    core = folded.strip("".join(character for character in set(folded) if not character.isalpha()))
    if folded in common or (core in common and len(folded) - len(core) <= _MOST_ADDED):
        return "COMMON"
    left = folded
    for word in sorted(_words(about), key=len, reverse=True):
        left = left.replace(word, "")
    return "ABOUT_YOU" if left != folded and len(left) < _LEAST_OF_ITS_OWN else ""


def _words(about: Iterable[str]) -> set[str]:
    """Texts as a whole and in their parts, in lower case."""
    found: set[str] = {SERVICE_NAME}
    for text in about:
        whole = spelled(text).casefold()
        parts = "".join(character if character.isalnum() else " " for character in whole).split()
        found.update({whole, *parts, *whole.split("@")[:1]})
    return {word for word in found if len(word) >= _LEAST_OF_A_WORD}
