"""What is kept of a record that is not applied, or not yet: all of it where it may be an event, else a bounded part.

Whatever the bytes, the copy fits its rows and their indexes, and an event of the bus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from chassis.bus.envelope import LONGEST_KEY, printable
from chassis.bus.intake import Record
from chassis.bus.outbox import MAX_PAYLOAD

_PART_OF_VALUE = 64 * 1024
_LONGEST_OWN_HEADER = 1024
_OTHER_HEADERS = 32 * 1024
_MOST_OTHERS = 100
_CLOUD_EVENT = ("ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "ce_specversion", "ce_dataschema")
_OWN = frozenset(("content-type", "traceparent", *_CLOUD_EVENT))


@dataclass(frozen=True, slots=True)
class Copy:
    """A record as it is kept, in text that PostgreSQL can store."""

    key: str
    type: str
    value: bytes | None
    headers: dict[str, str]
    whole: bool
    """Whether all is there that makes an event. Headers that are not ours may be missing all the same."""


def copy_of(record: Record) -> Copy:
    """What to keep of a record."""
    key, value = record.key or b"", record.value
    own, whole = {}, not record.fault and len(key) <= LONGEST_KEY
    for name, raw in dict(record.headers).items():
        if name in _OWN:
            own[name] = _start(raw, _LONGEST_OWN_HEADER)
            whole = whole and len(raw or b"") <= _LONGEST_OWN_HEADER
    if value is not None and len(value) > MAX_PAYLOAD:
        value, whole = value[:_PART_OF_VALUE], False
    return Copy(kept_key(record), own.get("ce_type", ""), value, {**dict(_others(record)), **own}, whole)


def kept_key(record: Record) -> str:
    """The key as rows have it; of one that is too long to be an event's the beginning."""
    return _start(record.key, LONGEST_KEY)


def may_be_a_key(raw: bytes | None) -> bool:
    """Whether an event may have this key: then others of it may come, and its copy is the key itself."""
    return bool(raw) and len(raw or b"") <= LONGEST_KEY and printable(raw).encode() == raw


def _others(record: Record) -> Iterator[tuple[str, str]]:
    """Headers that we do not write, as far as they go."""
    left = _OTHER_HEADERS
    for place, (name, raw) in enumerate(record.headers):
        if place >= _MOST_OTHERS or left <= 0:
            return
        if name not in _OWN:
            told = _start(name, left), _start(raw, left)
            left -= sum(len(text.encode()) for text in told)
            yield told


def _start(raw: str | bytes | None, most: int) -> str:
    return printable((raw or b"")[:most])[:most]
