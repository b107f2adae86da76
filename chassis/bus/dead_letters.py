"""Dead letters: what could not be applied, kept for operators in the database, and told to Kafka through the outbox.

The rows are what is decided about, in one transaction with the keys that they park; the copies in Kafka are for
reading.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from chassis.bus.copies import Copy, copy_of
from chassis.bus.intake import Record
from chassis.bus.outbox import OutboxRow
from chassis.bus.topics import dead_letters
from chassis.db import Transaction
from chassis.errors import ServiceError
from chassis.ids import new_id

_KEEP = """
INSERT INTO dead_letter (consumer, id, topic, partition, "offset", key, type, payload, headers, reason, error_class,
                         attempts, first_failed_at, cut)
SELECT * FROM unnest($1::text[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::text[], $7::text[], $8::bytea[],
                     $9::jsonb[], $10::text[], $11::text[], $12::int[], $13::timestamptz[],
                     $14::boolean[]) AS l (consumer, id)
ORDER BY id
ON CONFLICT DO NOTHING RETURNING id
"""

# In the order in which they came, so that several of one key keep theirs.
_DUE = """
SELECT id, topic, partition, "offset", key, type, payload, headers FROM dead_letter
WHERE consumer = $1 AND state = 'REPLAYING' ORDER BY topic, partition, "offset" LIMIT 1 FOR UPDATE
"""

_APPLIED = "UPDATE dead_letter SET state = 'APPLIED' WHERE consumer = $1 AND id = $2"

_FAILED_AGAIN = """
UPDATE dead_letter SET state = 'OPEN', attempts = attempts + 1, reason = $3, error_class = $4
WHERE consumer = $1 AND id = $2 AND state = 'REPLAYING'
"""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why, how often, and since when a record fails at a consumer."""

    error: Exception
    consumer: str
    attempts: int
    first_failed_at: datetime

    @property
    def reason(self) -> str:
        """The error's stable reason; an error outside the tree is a bug, and has none."""
        return self.error.reason if isinstance(self.error, ServiceError) else "UNEXPECTED_ERROR"

    @property
    def error_class(self) -> str:
        """The error's class with its module."""
        return f"{type(self.error).__module__}.{type(self.error).__qualname__}"


@dataclass(frozen=True, slots=True)
class Letter:
    """A record that could not be applied; if it `parks` its key, later events of that wait for what is decided."""

    id: UUID
    record: Record
    failure: Failure
    parks: bool = False


async def keep(tx: Transaction, letters: Sequence[Letter]) -> None:
    """Keeps letters and publishes their copies, both bounded; those that are kept already stay as they are."""
    if letters:
        copies = {letter.id: (letter, copy_of(letter.record)) for letter in letters}
        rows = [_row(*both) for both in copies.values()]
        kept = await tx.fetch(_KEEP, *map(list, zip(*rows, strict=True)))
        tx.publish(_published(*copies[row["id"]]) for row in kept)


async def due(tx: Transaction, consumer: str) -> tuple[UUID, Record] | None:
    """The next letter that is to be applied again, locked, with its id."""
    row = await tx.fetchrow(_DUE, consumer)
    return (row["id"], record_of(row)) if row else None


async def applied(tx: Transaction, consumer: str, letter_id: UUID) -> None:
    """Marks a letter as applied."""
    await tx.execute(_APPLIED, consumer, letter_id)


async def failed_again(tx: Transaction, letter_id: UUID, failure: Failure) -> None:
    """Opens a letter anew with the reason of its last failure."""
    await tx.execute(_FAILED_AGAIN, failure.consumer, letter_id, failure.reason, failure.error_class)


def record_of(row: asyncpg.Record) -> Record:
    """The record in a row of `dead_letter` or `parked_event`, as it came off the wire."""
    headers = [(name, str(value).encode()) for name, value in json.loads(row["headers"]).items()]
    place = row["topic"], row["partition"], row["offset"]
    return Record(*place, row["key"].encode(), row["payload"], headers)


def _row(letter: Letter, copy: Copy) -> tuple[object, ...]:
    record, failure = letter.record, letter.failure
    place = record.topic, record.partition, record.offset, copy.key
    content = copy.type, copy.value, json.dumps(copy.headers)
    why = failure.reason, failure.error_class, failure.attempts, failure.first_failed_at
    return (failure.consumer, letter.id, *place, *content, *why, not copy.whole)


def _published(letter: Letter, copy: Copy) -> OutboxRow:
    """The record's own key, bytes and headers, as far as they are kept, and what an operator needs to know."""
    record, failure = letter.record, letter.failure
    headers = {
        **copy.headers,
        "dlq_reason": failure.reason,
        "dlq_error_class": failure.error_class,
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_consumer": failure.consumer,
        "dlq_attempts": str(failure.attempts),
        "dlq_first_failed_at": failure.first_failed_at.isoformat().replace("+00:00", "Z"),
        "dlq_cut": str(not copy.whole).lower(),
    }
    topic = dead_letters(record.topic)
    return OutboxRow(topic, copy.key, new_id(), copy.type, copy.value, json.dumps(headers))
