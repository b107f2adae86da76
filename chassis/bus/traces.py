"""Spans of events on their way: put into Kafka, and handled in batches that many callers caused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from chassis import tracing
from chassis.bus.intake import Received
from chassis.bus.publisher import Waiting
from chassis.tracing import Kind, Notes, Span


@contextmanager
def handled(consumer: str, received: Sequence[Received]) -> Iterator[Sequence[Received]]:
    """Runs the body in a span, and gives the events with the spans in which theirs go on.

    What has one trace runs in it. A batch of several runs in one of its own, linked with a span of each event whose
    trace is recorded: these are in the traces of their causes.
    """
    found = {item.event.traceparent for item in received}
    if len(found) == 1:
        topics = {item.record.topic for item in received}
        name = f"process {topics.pop()}" if len(topics) == 1 else "process"
        with tracing.start(name, found.pop(), kind=Kind.CONSUMER) as span:
            if span.sampled:
                tracing.note(_batch(consumer, len(received)))
            yield [_within(item, span) for item in received] if span.sampled else received
        return
    started, spans = time.time_ns(), [tracing.child(item.event.traceparent) for item in received]
    links = [span for span in spans if span]
    with tracing.start("process", kind=Kind.CONSUMER, links=links) as whole:
        if links:
            tracing.note(_batch(consumer, len(received)))
        yield [_within(*pair) for pair in zip(received, spans, strict=True)] if links else received
    for item, below in zip(received, spans, strict=True):
        if below:
            notes = {**_of(item.record.topic, "process", str(item.event.id)), "messaging.consumer.group.name": consumer}
            tracing.tell(below, f"process {item.record.topic}", Kind.CONSUMER, started, notes, [whole])


def published(rows: Iterable[Waiting]) -> None:
    """Tells of events that are in Kafka now, each from when it was written to the outbox on."""
    for row in rows:
        # Most are not recorded, and their headers are not worth a look.
        if '-01"' not in row.headers:
            continue
        headers: dict[str, str] = json.loads(row.headers)
        if (written := _written(headers)) and (span := tracing.child(headers.get("traceparent", ""))):
            event_id, start_ns = written
            tracing.tell(span, f"send {row.topic}", Kind.PRODUCER, start_ns, _of(row.topic, "send", str(event_id)))


def _written(headers: Mapping[str, str]) -> tuple[UUID, int] | None:
    """Which event was written when, in nanoseconds since 1970; nothing if what they say cannot be."""
    try:
        event_id, at = UUID(headers.get("ce_id", "")), datetime.fromisoformat(headers.get("ce_time", ""))
        start_ns = int(at.timestamp() * 1e9)
    except (ValueError, OverflowError):
        return None
    return (event_id, start_ns) if 0 < start_ns <= time.time_ns() else None


def _within(item: Received, span: Span | None) -> Received:
    return item._replace(event=replace(item.event, traceparent=span.header())) if span else item


def _batch(consumer: str, size: int) -> Notes:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": consumer,
        "messaging.batch.message_count": size,
    }


def _of(topic: str, operation: str, event_id: str) -> Notes:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.destination.name": topic,
        "messaging.message.id": event_id,
    }
