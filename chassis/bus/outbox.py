"""The outbox: events are rows of the transaction that makes them true, until the relay has them in Kafka."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from google.protobuf.message import Message

from chassis.bus.envelope import HeaderWriter, lane_of, shared
from chassis.errors import FailedPrecondition
from chassis.ids import new_id

if TYPE_CHECKING:
    import asyncpg

    from chassis.contract.events import EventType

# Below the broker's default of one mebibyte a record, with room for key and headers. What the broker would refuse for
# ever must never reach the outbox: it would hold up its lane.
MAX_PAYLOAD = 900_000

# The driver looks at every element of an array, so what all rows share comes once: unnest fills up with NULL. Lanes,
# which are less than 256, are the bytes of a string.
_INSERT = """
INSERT INTO outbox (lane, topic, key, event_id, type, payload, headers)
SELECT get_byte($1, place::int - 1), coalesce($8, topic), key, event_id, coalesce($9, type), payload, headers
FROM unnest($2::text[], $3::text[], $4::uuid[], $5::text[], $6::bytea[], $7::jsonb[])
     WITH ORDINALITY AS e (topic, key, event_id, type, payload, headers, place)
ORDER BY place
"""


class EventTooLarge(FailedPrecondition):
    """The event is larger than the bus takes."""

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
    topics, keys, ids, types, payloads, headers = zip(*rows, strict=True)
    topic, each_topic = shared(topics)
    type_, each_type = shared(types)
    lanes = bytes(map(lane_of, keys))
    await conn.execute(_INSERT, lanes, each_topic, keys, ids, each_type, payloads, headers, topic, type_)
