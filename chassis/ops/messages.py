"""Rows of the chassis' tables as the messages of OperationsService."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime

from google.protobuf.json_format import Error as JsonError
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from preceptor.ops.v1 import operations_pb2 as pb

from chassis.contract.events import catalogue
from chassis.db import Row
from chassis.ids import name
from chassis.ops.trace import Step
from chassis.ops.waits import Waiting
from chassis.redaction import redacted

_MOST_TEXT = 500_000
_BEGINNING = 200
"""Characters."""


def status(service: str, waits: Row, consumers: Iterable[Row]) -> pb.ServiceStatus:
    """How a service is."""
    return pb.ServiceStatus(
        name=f"services/{service}",
        consumers=map(_consumer, consumers),
        outbox_events=waits["outbox"],
        outbox_oldest_seconds=waits["oldest"],
        open_dead_letters=waits["letters"],
        parked_keys=waits["keys"],
        parked_events=waits["events"],
        late_halves=waits["halves"],
    )


def letter(row: Row) -> pb.DeadLetter:
    """A dead letter, without its content. A service is the consumer of its own name."""
    return pb.DeadLetter(
        name=f"services/{row['consumer']}/deadLetters/{row['id']}",
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        key=row["key"],
        event=json.loads(row["headers"]).get("ce_id", ""),
        type=row["type"],
        reason=row["reason"],
        error_class=row["error_class"],
        attempts=row["attempts"],
        first_fail_time=_timestamp(row["first_failed_at"]),
        state=pb.DeadLetterState.Value(f"DEAD_LETTER_STATE_{row['state']}"),
        parks_key=row["parks_key"],
        events_behind=row["events_behind"],
        value_bytes=row["bytes"] or 0,
        cut=row["cut"],
    )


def content(type_name: str, payload: bytes | None) -> str:
    """The message of a dead letter as JSON, without what may be secret; nothing if no contract here reads it.

    Of a message that is too large for a reply as JSON, long texts are told by their beginnings, if that is enough.
    """
    type_ = catalogue().get(type_name)
    if type_ is None or payload is None:
        return ""
    try:
        message = type_.message_class.FromString(payload)
        told = redacted(MessageToDict(message, preserving_proto_field_name=True))
    except (DecodeError, JsonError):
        # A time that no calendar has cannot be told as JSON either.
        return ""
    text = json.dumps(told, ensure_ascii=False)
    if len(text) > _MOST_TEXT:
        text = json.dumps(_shortened(told), ensure_ascii=False)
    return text if len(text) <= _MOST_TEXT else ""


def _shortened(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _BEGINNING else value[:_BEGINNING] + "…"
    if isinstance(value, dict):
        return {key: _shortened(inner) for key, inner in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value


def action(row: Row) -> pb.DeadLetterAction:
    """A decision about a dead letter."""
    return pb.DeadLetterAction(
        action=row["action"],
        account=name("accounts", row["account_id"]),
        reason=row["reason"],
        action_time=_timestamp(row["acted_at"]),
    )


def step(done: Step) -> pb.TraceStep:
    """A step of a task."""
    return pb.TraceStep(
        step_time=_timestamp(done.time),
        kind=done.kind,
        names=done.names,
        detail=done.detail,
        trace_id=done.trace_id,
        waits=done.waits,
    )


def waiting(waits: Waiting) -> pb.Waiting:
    """Things that wait for the same reason."""
    return pb.Waiting(
        what=waits.what,
        reason=waits.reason,
        count=waits.count,
        more=waits.more,
        oldest_time=_timestamp(waits.oldest) if waits.oldest else None,
        way_out=waits.way_out,
    )


def _consumer(row: Row) -> pb.ConsumerStatus:
    return pb.ConsumerStatus(
        instance=str(row["instance"]),
        breaker_open=row["breaker_open"],
        held_since=_timestamp(row["held_since"]) if row["held_since"] else None,
        held_reason=row["held_reason"],
        applied=row["applied"],
        duplicates=row["duplicates"],
        set_aside=row["set_aside"],
        dead_lettered=row["dead_lettered"],
        seen_time=_timestamp(row["seen_at"]),
    )


def _timestamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp
