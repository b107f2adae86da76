"""How an event travels: CloudEvents over Kafka in binary mode, the value being the protobuf bytes."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Generic, TypeVar
from uuid import UUID
from zlib import crc32

from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

LANES = 16
LONGEST_KEY = 256
"""Bytes. Keys are ids; what stands in an index of PostgreSQL must not be much longer."""


# Not frozen, though nobody changes one: to make a frozen one takes three times as long, and there is one an event.
@dataclass(slots=True)
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


class HeaderWriter:
    """Writes the headers of events of one type as JSON objects of strings, without a dictionary for each."""

    def __init__(self, full_name: str, service: str) -> None:
        """Takes the full name of the event's message and the service that writes it."""
        self._shared = json.dumps(type_headers(full_name, service))[:-1]

    def write(self, event_id: UUID, key: str, traceparent: str | None) -> str:
        """All headers of a new event, written now; the traceparent is one of `tracing`, which needs no escapes."""
        trace = f', "traceparent": "{traceparent}"' if traceparent else ""
        return f'{self._shared}, "ce_id": "{event_id}", "ce_time": "{_now()}", "ce_subject": {json.dumps(key)}{trace}}}'


def _now() -> str:
    """The time by RFC 3339 in UTC, to the microsecond."""
    seconds, nanoseconds = divmod(time.time_ns(), 1_000_000_000)
    return f"{_second(seconds)}.{nanoseconds // 1000:06d}Z"


@lru_cache(1)
def _second(since_1970: int) -> str:
    return datetime.fromtimestamp(since_1970, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def printable(value: str | bytes | None) -> str:
    """Text that PostgreSQL can store, whatever a stranger put on the wire."""
    text = value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value or ""
    return text.replace("\x00", "\\x00")
