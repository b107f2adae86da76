"""What must not reach a log: by the name of a field, by the form of a text, by the kind of an error."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path

import asyncpg

REDACTED = "[redacted]"

# Words that tell what opens something, who somebody is, and where money goes.
_SENSITIVE = re.compile(
    r"(password|passwd|passphrase|secret|token|jwt|jwk|authorization|bearer|credential|cookie|signature|pin|otp|key|kek"
    r"|dek|name|surname|firstname|lastname|fullname|email|mail|phone|address|street|postcode|birth|birthday|birthdate|ip"
    r"|iban|bic|swift|account|accountnumber|routing|card|pan|cvv|holder|ssn|tax|taxnumber|tin|dsn|url|uri)(s|es)?"
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS = re.compile(r"[^a-z0-9]+")
# In any text: what stands before the host in a URL, bearer tokens, JSON web tokens, e-mail addresses. Texts come from
# strangers: a run of letters is looked through from its beginning only, else a long one would take time by its square.
_IN_TEXT = re.compile(
    r"(?<=://)[^/\s@]*(?=@)|(?i:(?<=bearer )\S+)"
    r"|(?<![\w-])(?=(?:[\w-]*\b)?eyJ)[\w-]++\.[\w-]++\.[\w-]*|(?<![\w.+-])[\w.+-]++@[A-Za-z0-9-]++\.[A-Za-z0-9.-]+"
)
_PERSONAL_IDS = frozenset(("tax", "ssn", "card"))


def sensitive(name: str) -> bool:
    """Whether a field of this name may hold a secret or personal data. Identifiers are opaque here, and may be told."""
    words = [word for word in _WORDS.split(_CAMEL.sub("_", name).lower()) if word]
    if words and words[-1] in ("id", "ids") and not _PERSONAL_IDS.intersection(words):
        return False
    return any(_SENSITIVE.fullmatch(word) for word in words)


def redacted(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields, at any depth, with the values of sensitive ones and the secrets in texts replaced."""
    return {key: REDACTED if sensitive(str(key)) else _value(value) for key, value in fields.items()}


def exception_text(error: BaseException | None) -> str:
    """Where an error was raised and what caused it. Errors of the database are told without their text.

    It quotes parameters and rows, and so do the lines "Key (email)=(...) already exists".
    """
    return "\n".join(_chain(error))


def _value(value: object) -> object:
    if isinstance(value, str):
        return _IN_TEXT.sub(REDACTED, value)
    if isinstance(value, Mapping):
        return redacted(value)
    return [_value(item) for item in value] if isinstance(value, (list, tuple, set, frozenset)) else value


def _chain(error: BaseException | None) -> Iterator[str]:
    """The causes first, as Python prints them."""
    if error is None:
        return
    yield from _chain(error.__cause__ or (None if error.__suppress_context__ else error.__context__))
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {'/'.join(Path(frame.filename).parts[-2:])}:{frame.lineno} {frame.name}"
    yield f"{type(error).__module__}.{type(error).__qualname__}: {_text(error)}"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield from _chain(member)


def _text(error: BaseException) -> str:
    if isinstance(error, asyncpg.PostgresError):
        return " ".join(filter(None, (error.sqlstate, error.table_name, error.constraint_name)))
    return REDACTED if isinstance(error, asyncpg.InterfaceError) else str(_value(str(error)))
