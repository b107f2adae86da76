"""Outbox rows: topic, key and headers from the contract, lanes from the key, deletions only of what is safe."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preceptor.identity.v1 import events_pb2 as identity
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis import tracing
from chassis.bus.envelope import LANES, lane_of, printable
from chassis.bus.outbox import MAX_PAYLOAD, EventTooLarge, EventWriter
from chassis.bus.publisher import Waiting
from chassis.bus.relay import delivered
from chassis.contract.events import catalogue
from tests.support.reactions import completed

WRITER = EventWriter("tasking", catalogue())


def test_topic_key_and_type_come_from_the_contract() -> None:
    row = WRITER.row(completed("b1"))
    assert (row.topic, row.key, row.type) == ("tasking.batch.v1", "b1", "preceptor.tasking.v1.BatchCompleted")
    headers = json.loads(row.headers)
    assert headers["ce_subject"] == "b1"
    assert headers["ce_id"] == str(row.event_id)
    assert "traceparent" not in headers


def test_the_trace_travels_along() -> None:
    with tracing.start("work") as span:
        assert json.loads(WRITER.row(completed("b1"), span.header()).headers)["traceparent"] == span.header()


@given(st.text(min_size=1))
def test_headers_are_an_object_of_strings_whatever_the_key_is(key: str) -> None:
    headers = json.loads(WRITER.row(completed(key)).headers)
    assert headers["ce_subject"] == key
    assert datetime.fromisoformat(headers["ce_time"]).tzinfo == UTC
    assert all(isinstance(value, str) for value in headers.values())


@pytest.mark.parametrize("event", [identity.VendorChanged(vendor_id="v1"), tasking.Decision(), completed("")])
def test_what_is_no_event_of_this_service_or_has_no_key_is_a_bug(event: object) -> None:
    with pytest.raises(ValueError, match=r"event of tasking|which is its key"):
        WRITER.row(event)  # type: ignore[arg-type]


def test_an_event_that_the_broker_would_refuse_for_ever_is_refused_here() -> None:
    with pytest.raises(EventTooLarge):
        WRITER.row(tasking.BatchCompleted(batch_id="b1", vendor_id="x" * MAX_PAYLOAD))


@given(st.text())
def test_a_lane_is_the_checksum_of_the_key(key: str) -> None:
    assert lane_of(key) == crc32(key.encode()) % 16
    assert 0 <= lane_of(key) < LANES


@given(st.binary())
def test_whatever_stands_on_the_wire_becomes_text_that_sql_takes(raw: bytes) -> None:
    assert "\x00" not in printable(raw)
    printable(raw).encode()


@given(st.lists(st.integers(0, 3), max_size=40), st.sets(st.integers(0, 39)))
def test_of_each_lane_only_what_comes_before_its_first_fault_is_deleted(lanes: list[int], places: set[int]) -> None:
    rows = [Waiting(lane, place, "t", "k", b"", "{}") for place, lane in enumerate(lanes)]
    faults = {place: "refused" for place in places if place < len(rows)}
    deleted = {row.id for row in delivered(rows, faults)}
    for row in rows:
        earlier = any(rows[place].lane == row.lane and place <= row.id for place in faults)
        assert (row.id in deleted) is not earlier
