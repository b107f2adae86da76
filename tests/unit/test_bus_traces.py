"""Spans of events that went out, whatever headers a dead letter has from strangers."""

from __future__ import annotations

import json

import pytest

from chassis import tracing
from chassis.bus import traces
from chassis.bus.publisher import Waiting
from chassis.tracing import Recorded

TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
SOUND = {"ce_id": "018f0000-0000-7000-8000-000000000001", "ce_time": "2026-01-01T00:00:00.5Z", "traceparent": TRACE}


def told(headers: dict[str, str]) -> list[Recorded]:
    kept: list[Recorded] = []
    with tracing.recorded_by(kept.append, 0):
        traces.published([Waiting(0, 1, "t.v1", "k", b"", json.dumps(headers))])
    return kept


def test_an_event_of_a_recorded_trace_is_told_from_when_it_was_written_on() -> None:
    [span] = told(SOUND)
    assert (span.name, span.span.parent_id, span.start_ns) == ("send t.v1", "b" * 16, 1_767_225_600_500_000_000)
    assert span.notes["messaging.message.id"] == SOUND["ce_id"]


def test_one_of_another_trace_is_not() -> None:
    assert told({**SOUND, "traceparent": TRACE[:-1] + "0"}) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"ce_time": "yesterday"},
        {"ce_time": ""},
        {"ce_time": "0001-01-01T00:00:00+14:00"},
        {"ce_time": "9999-12-31T23:59:59-14:00"},
        {"ce_id": "ada"},
        {"traceparent": "x-01"},
        {"other": '-01"', "traceparent": ""},
    ],
    ids=str,
)
def test_headers_that_a_stranger_wrote_are_passed_over(wrong: dict[str, str]) -> None:
    """The relay would have stumbled over them each time it brought such a dead letter out."""
    assert told({**SOUND, **wrong}) == []


def test_headers_that_are_missing_are_passed_over() -> None:
    assert told({"traceparent": TRACE}) == []
