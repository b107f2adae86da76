"""Dead letters: what could not be applied, with the reason in its headers, through the outbox like any event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chassis.bus.envelope import printable, text_headers
from chassis.bus.intake import Record
from chassis.bus.outbox import OutboxRow
from chassis.bus.topics import dead_letters
from chassis.errors import ServiceError
from chassis.ids import new_id


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


def dead_letter(record: Record, failure: Failure) -> OutboxRow:
    """The record's own key, bytes and headers, and what an operator needs to know."""
    headers = {
        **text_headers(record.headers),
        "dlq_reason": failure.reason,
        "dlq_error_class": f"{type(failure.error).__module__}.{type(failure.error).__qualname__}",
        "dlq_topic": record.topic,
        "dlq_partition": str(record.partition),
        "dlq_offset": str(record.offset),
        "dlq_consumer": failure.consumer,
        "dlq_attempts": str(failure.attempts),
        "dlq_first_failed_at": failure.first_failed_at.isoformat().replace("+00:00", "Z"),
    }
    type_ = headers.get("ce_type", "")
    return OutboxRow(dead_letters(record.topic), printable(record.key), new_id(), type_, record.value, headers)
