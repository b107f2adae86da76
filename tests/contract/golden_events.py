"""The golden bytes of events: what consumers have on disk and in topics must stay readable.

    python -m tests.contract.golden_events      adds what is missing to golden/events.txt; look at it before committing

An entry is never changed by the command. Each has three parts: full name, topic, key field and kind; the event as JSON;
its bytes in hexadecimal. An event that gained fields gets a further entry with all of them, and the old one stays.
Only what was never released may be taken back: delete its entry by hand and run the command again.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToDict, ParseDict

from chassis.contract.events import EventType, catalogue

FILE = Path(__file__).parent / "golden" / "events.txt"

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

_HEADING = """\
# Golden bytes of events, made by `python -m tests.contract.golden_events`. Entries are added, never changed: a change
# means that bytes which lie in topics and outboxes are read otherwise than they were written.
"""
# Beyond one byte, and beyond 32 bits, on the wire.
_FIRST = {
    FieldDescriptor.CPPTYPE_DOUBLE: 0.625,
    FieldDescriptor.CPPTYPE_FLOAT: 0.625,
    FieldDescriptor.CPPTYPE_INT32: 300,
    FieldDescriptor.CPPTYPE_INT64: 5_000_000_000,
    FieldDescriptor.CPPTYPE_UINT32: 300,
    FieldDescriptor.CPPTYPE_UINT64: 5_000_000_000,
}
_WELL_KNOWN: Mapping[str, Json] = {
    "google.protobuf.Timestamp": "2026-03-29T01:02:03.000456Z",
    "google.protobuf.Duration": "90.250s",
}


@dataclass(frozen=True)
class Golden:
    """One entry of the file. `head` tells how the event travels."""

    head: str
    body: dict[str, Json]
    wire: bytes

    @property
    def name(self) -> str:
        return self.head.split()[0]


def read() -> list[Golden]:
    """The entries of the file, in their order."""
    text = FILE.read_text() if FILE.exists() else ""
    blocks = [block.splitlines() for block in text.removeprefix(_HEADING).strip().split("\n\n") if block]
    return [Golden(head, json.loads("\n".join(body)), bytes.fromhex(wire)) for head, *body, wire in blocks]


def write(entries: list[Golden]) -> None:
    """Writes the file, entries of one event together."""
    ordered = sorted(entries, key=lambda entry: entry.name)
    blocks = [f"{entry.head}\n{json.dumps(entry.body, indent=2)}\n{entry.wire.hex()}\n" for entry in ordered]
    FILE.write_text("\n".join([_HEADING, *blocks]))


def head(event: EventType) -> str:
    """How an event travels, on one line."""
    return f"{event.name} {event.topic} {event.key_field} {event.kind.name}"


def missing(entries: list[Golden], event: EventType) -> Iterator[Golden]:
    """The entries that an event lacks: one for each sample that sets a field which no entry sets."""
    covered = {path for entry in entries if entry.name == event.name for path in paths(entry.body)}
    descriptor = cast(Descriptor, event.message_class.DESCRIPTOR)
    for turn in range(_widest_oneof(descriptor)):
        message = ParseDict(_sample(descriptor, turn), event.message_class())
        body: dict[str, Json] = MessageToDict(message, preserving_proto_field_name=True)
        if not covered.issuperset(paths(body)):
            covered.update(paths(body))
            yield Golden(head(event), body, message.SerializeToString(deterministic=True))


def paths(value: Json, at: str = "") -> Iterator[str]:
    """The dotted path of each field that is set."""
    if isinstance(value, dict) and value:
        for name, inner in value.items():
            yield from paths(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, at)
    else:
        yield at


def _sample(message: Descriptor, turn: int) -> dict[str, Json]:
    """A message with every field set, and of each oneof the field whose turn it is."""
    chosen = {oneof.fields[turn % len(oneof.fields)].name for oneof in message.oneofs}
    return {
        field.name: [_value(field, turn), _value(field, turn + 1)] if field.is_repeated else _value(field, turn)
        for field in message.fields
        if field.containing_oneof is None or field.name in chosen
    }


def _value(field: FieldDescriptor, turn: int) -> Json:
    """A value that is not the field's default."""
    if (message := field.message_type) is not None:
        return _WELL_KNOWN.get(message.full_name) or _sample(message, turn)
    if (enum := field.enum_type) is not None:
        return str(enum.values[-1].name)
    return _scalar(field)


def _scalar(field: FieldDescriptor) -> Json:
    """A value with the field's number in it, so that two fields cannot change places unseen."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return True
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        text = f"{field.name}-{field.number}"
        return b64encode(text.encode()).decode() if field.type == FieldDescriptor.TYPE_BYTES else text
    if field.type in (FieldDescriptor.TYPE_SINT32, FieldDescriptor.TYPE_SINT64):
        return -field.number
    return field.number + _FIRST[field.cpp_type]


def _widest_oneof(message: Descriptor) -> int:
    """The number of samples it takes to see each field of each oneof in a message and below."""
    widths = [len(oneof.fields) for oneof in message.oneofs]
    inner = [field.message_type for field in message.fields if field.message_type is not None]
    return max([1, *widths, *map(_widest_oneof, inner)])


def main() -> None:
    """Adds the entries that are missing."""
    entries = read()
    for event in catalogue().values():
        entries.extend(missing(entries, event))
    write(entries)


if __name__ == "__main__":
    main()
