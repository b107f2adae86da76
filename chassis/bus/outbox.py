"""The outbox: events are rows of the transaction that makes them true, until the relay has them in Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from google.protobuf.message import Message

from chassis.bus.envelope import HeaderWriter, lane_of
from chassis.errors import FailedPrecondition
from chassis.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from chassis.contract.events import EventType

# Below the broker's default of one mebibyte a record, with room for key and headers. What the broker would refuse for
# ever must never reach the outbox: it would hold up its lane.
MAX_PAYLOAD = 900_000

_INSERT = """
INSERT INTO outbox (lane, topic, key, event_id, type, payload, headers)
SELECT lane, topic, key, event_id, type, payload, headers FROM unnest($1::leaving[]) WITH ORDINALITY ORDER BY ordinality
"""


class EventTooLarge(FailedPrecondition):
    """The event is larger than the bus takes: not one that its contract allows is, nor is what was accepted."""

    reason = "EVENT_TOO_LARGE"


class OutboxRow(NamedTuple):
    """An event that waits to be published; without a payload a tombstone. `headers` is a JSON object of strings."""

    topic: str
    key: str
    event_id: UUID
    type: str
    payload: bytes | None
    headers: str


class EventWriter:
    """Turns a service's event messages into outbox rows, with topic and key from the event catalogue."""

    def __init__(self, service: str, types: Mapping[str, EventType]) -> None:
        """Takes the service's name and the catalogue by full message name."""
        self._types = {name: type_ for name, type_ in types.items() if type_.owner == service}
        self._headers = {name: HeaderWriter(name, service) for name in self._types}
        self._service = service

    def row(self, event: Message, traceparent: str | None = None) -> OutboxRow:
        """The row of an event, written now, in a trace. Raises `EventTooLarge`, and `ValueError` for what only a bug
        can bring: a message that is no event of this service, or one without its key.
        """
        full_name = event.DESCRIPTOR.full_name
        if (type_ := self._types.get(full_name)) is None:
            raise ValueError(f"{full_name} is not an event of {self._service}")
        if not (key := getattr(event, type_.key_field)):
            raise ValueError(f"{full_name} has no {type_.key_field}, which is its key")
        payload = event.SerializeToString()
        if len(payload) > MAX_PAYLOAD:
            raise EventTooLarge(type=full_name, key=key)
        event_id = new_id()
        headers = self._headers[full_name].write(event_id, key, traceparent)
        return OutboxRow(type_.topic, key, event_id, full_name, payload, headers)


async def write(conn: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy, rows: Sequence[OutboxRow]) -> None:
    """Inserts rows in their order by one statement.

    Call it after the aggregate's row is locked: only then is the order of ids the order of commits for its key.
    """
    await conn.execute(_INSERT, [(lane_of(row.key), *row) for row in rows])
