"""Records off the wire, as events that a service reacts to, or refused with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import NAMESPACE_OID, UUID, uuid5

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from chassis.bus.envelope import LONGEST_KEY, Event, source_of
from chassis.bus.outbox import MAX_PAYLOAD
from chassis.contract.events import EventType, Kind
from chassis.errors import FailedPrecondition
from chassis.ids import read_id
from chassis.rpc.validation import violations_of

_GREATEST_ENUM = 32_767
_NANOS = 1_000_000_000

RawHeaders = Sequence[tuple[str, bytes | None]]


class Refused(FailedPrecondition):
    """The record is not an event that may be applied."""

    reason = "REFUSED"


class Unreadable(Refused):
    """The client cannot read the record: whose it is and what it tells is not known."""

    reason = "UNREADABLE"


class UnknownType(Refused):
    """No contract here knows the event's type: its writer may be newer than this consumer."""

    reason = "UNKNOWN_TYPE"


class SourceNotOwner(Refused):
    """The event's source does not own its topic."""

    reason = "SOURCE_NOT_OWNER"


class Undecodable(Refused):
    """The owner of the topic wrote something that is not a valid event."""

    reason = "UNDECODABLE"


class Invalid(Undecodable):
    """The event breaks the rules that its contract states on its fields."""

    reason = "INVALID_EVENT"


# Not frozen, though nobody changes one: see `Event`.
@dataclass(slots=True)
class Record:
    """A Kafka record; `topic` is without a prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: RawHeaders
    fault: str = ""
    """What keeps the client from reading it, if anything does."""
    time: float = 0.0
    """When it was written, as its writer says, in seconds since 1970; 0 if it does not say."""

    def own_id(self) -> UUID:
        """An id for a record that has no valid one: the same whenever it is read."""
        return uuid5(NAMESPACE_OID, f"{self.topic}/{self.partition}/{self.offset}")


class Received(NamedTuple):
    """A record with its event."""

    record: Record
    type: EventType
    event: Event[Message]


class Intake:
    """Reads the records of the topics that a service reacts to."""

    def __init__(self, types: Mapping[str, EventType], reacts_to: set[str]) -> None:
        """Takes the event catalogue, and the full names of the event types that have a reaction."""
        # By what stands on the wire, which is bytes.
        self._types = {name.encode(): type_ for name, type_ in types.items()}
        self._of_no_interest = self._types.keys() - {name.encode() for name in reacts_to}
        self._sources = {type_.topic: source_of(type_.owner).encode() for type_ in types.values()}

    def read(self, record: Record) -> Received | None:
        """The event, or nothing if the service has no reaction to its type, which costs no decoding.

        Raises `Unreadable`, `UnknownType`, `SourceNotOwner`, `Undecodable` or `Invalid`.
        """
        if record.fault:
            raise Unreadable(record.fault)
        headers = dict(record.headers)
        name = headers.get("ce_type") or b""
        if name in self._of_no_interest:
            return None
        if (headers.get("ce_source") or b"") != self._sources.get(record.topic):
            raise SourceNotOwner
        if not name:
            raise Undecodable("The header ce_type is missing.")
        if (type_ := self._types.get(name)) is None:
            raise UnknownType(type=name.decode(errors="replace"))
        if type_.topic != record.topic:
            raise SourceNotOwner
        if record.value is None and type_.kind is Kind.STATE:
            # How a compacted topic forgets a key. What it means, an event has told.
            return None
        return Received(record, type_, _event(record, type_, headers))


def fault_of(event: Message) -> Invalid | None:
    """What the contract finds wrong with the fields of an event."""
    found = "; ".join(f"{field}: {fault}" for field, fault in violations_of(event))
    found = found or next(_odd(event), "")
    return Invalid(found) if found else None


def _odd(message: Message) -> Iterator[str]:
    """What is wrong at any depth, by rules that hold everywhere and that no field states."""
    for field, value in message.ListFields():
        values = value if field.is_repeated else (value,)
        if field.enum_type is not None:
            # Of contracts to come as well: all are kept in columns of two bytes.
            if not all(0 <= number <= _GREATEST_ENUM for number in values):
                yield f"{field.name}: must be a number from 0 to {_GREATEST_ENUM}"
        elif field.message_type is not None:
            for inner in values:
                yield from _odd(inner)
    if isinstance(message, Timestamp) and not 0 <= message.nanos < _NANOS:
        yield f"nanos: must be a number from 0 to {_NANOS - 1}"


def _event(record: Record, type_: EventType, headers: Mapping[str, bytes | None]) -> Event[Message]:
    message = _message(record.value or b"", type_)
    key = getattr(message, type_.key_field)
    if not key or key.encode() != record.key:
        raise Undecodable(f"The record's key is not the event's {type_.key_field}.")
    if len(record.key or b"") > LONGEST_KEY or "\x00" in key:
        raise Undecodable(f"The key is longer than {LONGEST_KEY} bytes, or has a NUL.")
    if not type_.per_answer and (fault := fault_of(message)):
        raise fault
    event_id, time = _id(headers), _time(headers)
    trace = headers.get("traceparent")
    # One that is no trace is taken as absent, as the W3C recommendation asks, whatever its bytes.
    traceparent = trace.decode("ascii", "replace") if trace else ""
    return Event(event_id, message, key, time, source_of(type_.owner), traceparent)


def _message(value: bytes, type_: EventType) -> Message:
    if value.startswith(b"\x00"):
        # Never a protobuf tag: it is what clients of a schema registry put before the message.
        raise Undecodable("The value has a schema registry's framing: write plain protobuf.")
    if len(value) > MAX_PAYLOAD:
        raise Undecodable(f"The value is longer than any event: more than {MAX_PAYLOAD} bytes.")
    try:
        return type_.message_class.FromString(value)
    except DecodeError as error:
        raise Undecodable("The value is not the protobuf message that ce_type names.") from error


def _id(headers: Mapping[str, bytes | None]) -> UUID:
    try:
        return read_id(_text(headers, "ce_id"))
    except ValueError as error:
        raise Undecodable("ce_id is no UUID.") from error


def _time(headers: Mapping[str, bytes | None]) -> datetime:
    try:
        time = datetime.fromisoformat(_text(headers, "ce_time"))
        if time.tzinfo is UTC:
            return time
        if time.tzinfo is not None:
            return time.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise Undecodable("ce_time is malformed.") from error
    raise Undecodable("ce_time does not say how far from UTC it is.")


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise Undecodable(f"The header {name} is missing.")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise Undecodable(f"The header {name} is not UTF-8.") from error
