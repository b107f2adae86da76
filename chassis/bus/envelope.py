"""How an event travels: CloudEvents over Kafka in binary mode, the value being the protobuf bytes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID
from zlib import crc32

from google.protobuf.message import Message

from chassis import tracing

M = TypeVar("M", bound=Message)

LANES = 16
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Event(Generic[M]):
    """An event as a reaction gets it. `time` is when it was written, by its writer's clock, in UTC."""

    id: UUID
    message: M
    key: str
    time: datetime
    source: str
    traceparent: str


def lane_of(key: str) -> int:
    """The lane that keeps a key's order in the outbox: the only definition of it."""
    return crc32(key.encode()) % LANES


def source_of(service: str) -> str:
    """The ``ce_source`` of a service's events."""
    return f"/services/{service}"


def type_headers(full_name: str, service: str) -> dict[str, str]:
    """The headers that all events of a type share."""
    return {
        "content-type": "application/protobuf",
        "ce_specversion": "1.0",
        "ce_type": full_name,
        "ce_source": source_of(service),
        "ce_dataschema": f"/schemas/{full_name}",
    }


def event_headers(shared: Headers, event_id: UUID, key: str) -> dict[str, str]:
    """All headers of a new event, with the trace of the running task: call it in the writing transaction."""
    with_id = {
        **shared,
        "ce_id": str(event_id),
        "ce_time": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "ce_subject": key,
    }
    trace = tracing.header()
    return {**with_id, "traceparent": trace} if trace else with_id


def text_headers(raw: Iterable[tuple[str, str | bytes | None]] | None) -> dict[str, str]:
    """Headers off the wire as text: bytes that are not UTF-8 become escapes, and so does NUL, which SQL refuses."""
    return {name: printable(value) for name, value in raw or ()}


def printable(value: str | bytes | None) -> str:
    """Text that PostgreSQL can store, whatever a stranger put on the wire."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""
    return text.replace("\x00", "\\x00")
