"""Records off the wire: events to react to, or refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from preceptor.tasking.v1 import events_pb2

from chassis.bus.intake import Intake, Record, SourceNotOwner, Undecodable, UnknownType
from chassis.contract.events import catalogue
from tests.support.bus import record
from tests.support.reactions import completed, decided, vendor

COMPLETED = "preceptor.tasking.v1.BatchCompleted"
INTAKE = Intake(catalogue(), {COMPLETED, "preceptor.identity.v1.VendorChanged"})
GOOD = record(completed("b1", 3))


def headers(name: str, value: bytes) -> Record:
    return replace(GOOD, headers=[*(pair for pair in GOOD.headers if pair[0] != name), (name, value)])


def test_a_good_record_is_an_event_of_its_type() -> None:
    found = INTAKE.read(GOOD)
    assert found is not None
    assert isinstance(found.event.message, events_pb2.BatchCompleted)
    assert (found.event.key, found.event.message.answers_decided) == ("b1", 3)
    assert found.event.time.utcoffset() is not None
    assert found.event.source == "/services/tasking"


def test_what_nobody_reacts_to_is_not_even_decoded() -> None:
    assert INTAKE.read(replace(record(decided("t1")), value=b"\xff")) is None


def test_a_tombstone_of_a_state_is_no_event() -> None:
    assert INTAKE.read(replace(record(vendor("v1", 1)), value=None)) is None


@pytest.mark.parametrize("source", ["/services/scoring", "", None, "tasking"])
def test_a_source_that_does_not_own_the_topic_is_refused(source: str | None) -> None:
    with pytest.raises(SourceNotOwner):
        INTAKE.read(record(completed("b1"), ce_source=source))


def test_an_event_on_a_topic_that_is_not_its_own_is_refused() -> None:
    with pytest.raises(SourceNotOwner):
        INTAKE.read(replace(GOOD, topic="tasking.task.v1"))


def test_a_type_that_no_contract_knows_is_told_apart() -> None:
    with pytest.raises(UnknownType):
        INTAKE.read(record(completed("b1"), ce_type="preceptor.tasking.v1.BatchRenamed"))


BROKEN = {
    "not protobuf": replace(GOOD, value=b"\xff\xff\xff"),
    "a registry's framing": replace(GOOD, value=b"\x00\x00\x00\x00\x01\x00" + (GOOD.value or b"")),
    "no value": replace(GOOD, value=None),
    "another key than the event's": replace(GOOD, key=b"b2"),
    "no key": replace(GOOD, key=None),
    "no type": record(completed("b1"), ce_type=None),
    "no id": record(completed("b1"), ce_id=None),
    "no time": record(completed("b1"), ce_time=None),
    "an id that is none": record(completed("b1"), ce_id="17"),
    "a time that is none": record(completed("b1"), ce_time="yesterday"),
    "a header that is not text": headers("ce_id", b"\xff"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_read_is_undecodable(what: str) -> None:
    with pytest.raises(Undecodable):
        INTAKE.read(BROKEN[what])


def test_a_record_without_an_id_of_its_own_has_the_same_one_whenever_it_is_read() -> None:
    assert GOOD.own_id() == replace(GOOD, headers=[]).own_id()
    assert GOOD.own_id() != replace(GOOD, offset=1).own_id()
