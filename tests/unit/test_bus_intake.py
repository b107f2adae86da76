"""Records off the wire: events to react to, or refused with a reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from google.protobuf.message import Message
from preceptor.identity.v1.events_pb2 import Revoked
from preceptor.scoring.v1 import events_pb2 as scoring
from preceptor.tasking.v1 import events_pb2
from preceptor.work.v1 import work_pb2 as work

from chassis.bus.intake import Intake, Invalid, Record, SourceNotOwner, Undecodable, UnknownType, fault_of
from chassis.contract.events import catalogue
from chassis.ids import new_id
from tests.support.bus import record
from tests.support.reactions import TYPES, completed, decided, revoked, vendor

COMPLETED = "preceptor.tasking.v1.BatchCompleted"
INTAKE = Intake(TYPES, {COMPLETED, "preceptor.identity.v1.VendorChanged"})
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


def test_an_event_that_breaks_the_rules_on_its_fields_is_refused_before_it_is_applied() -> None:
    wrong = record(completed("no UUID"))
    with pytest.raises(Invalid, match="batch_id"):
        Intake(catalogue(), {COMPLETED}).read(wrong)


def test_an_event_that_comes_with_every_answer_is_not_held_against_its_rules_when_it_comes() -> None:
    name = events_pb2.AnswersDecided.DESCRIPTOR.full_name
    assert Intake(catalogue(), {name}).read(record(decided("no UUID"))) is not None
    assert fault_of(decided("no UUID")) is not None


@pytest.mark.parametrize("nanos", [-1, 1_000_000_000, 2**31 - 1])
def test_a_time_with_nanoseconds_that_no_second_has_is_a_fault(nanos: int) -> None:
    event = revoked()
    assert fault_of(event) is None
    event.expire_time.nanos = nanos
    assert fault_of(event) is not None


def late() -> Revoked:
    event = revoked()
    event.expire_time.seconds = 2**53
    return event


# Each fits into its field of the contract, and into no column or calendar.
TOO_LARGE: dict[str, Message] = {
    "a time": late(),
    "a number of answers": scoring.TaskScored(task_id=str(new_id()), answers_wanted=40_000),
    "a route": scoring.TaskScored(task_id=str(new_id()), route=2**31 - 1),  # type: ignore[arg-type]
    "a reason": scoring.TaskScored(task_id=str(new_id()), stop_reason=2**31 - 1),  # type: ignore[arg-type]
    "a type of tasks": scoring.SkillChanged(
        expert_id=str(new_id()),
        version=1,
        skills=[scoring.Skill(task_type=40_000)],  # type: ignore[arg-type]
    ),
    "a domain": scoring.SkillChanged(
        expert_id=str(new_id()),
        version=1,
        skills=[scoring.Skill(domain=-1)],  # type: ignore[arg-type]
    ),
}


@pytest.mark.parametrize("what", TOO_LARGE)
def test_what_no_column_and_no_calendar_holds_is_a_fault_by_contract(what: str) -> None:
    assert fault_of(TOO_LARGE[what]) is not None


def test_types_and_domains_of_contracts_to_come_are_no_fault() -> None:
    skill = scoring.Skill(task_type=99, domain=work.DOMAIN_LAW)  # type: ignore[arg-type]
    assert fault_of(scoring.SkillChanged(expert_id=str(new_id()), version=1, skills=[skill])) is None
