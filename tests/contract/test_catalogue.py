"""Each event says how it travels, and a wrong statement stops the process before it sends anything."""

import pytest
from google.protobuf.descriptor_pb2 import DescriptorProto
from preceptor.options.v1.event_pb2 import EVENT_KIND_FACT, EVENT_KIND_STATE, Event
from preceptor.scoring.v1 import events_pb2 as scoring_events
from preceptor.tasking.v1 import events_pb2 as tasking_events
from preceptor.work.v1 import work_pb2

from chassis.contract.descriptors import ContractError
from chassis.contract.events import EventType, Kind, catalogue, event_type, events_of, key_of
from tests.contract.made_up import INT64, STRING, event, events_file

FACT = Event(topic="tasking.task.v1", key="task_id", kind=EVENT_KIND_FACT)
STATE = Event(topic="tasking.slot.v1", key="task_id", kind=EVENT_KIND_STATE)


@pytest.mark.parametrize("found", catalogue().values(), ids=lambda found: found.name)
def test_an_event_states_topic_key_and_kind(found: EventType) -> None:
    fields = found.message_class.DESCRIPTOR.fields_by_name
    assert found.topic.startswith(f"{found.owner}.")
    assert found.key_field in fields
    assert found.kind is Kind.FACT or "version" in fields


def test_the_catalogue_has_every_message_of_the_event_files_that_states_one() -> None:
    assert event_type(tasking_events.AnswerSubmitted).topic == "tasking.task.v1"
    assert event_type(scoring_events.TaskScored()).owner == "scoring"
    assert "preceptor.tasking.v1.Decision" not in catalogue()


def test_the_key_of_an_event_is_the_value_of_its_key_field() -> None:
    assert key_of(tasking_events.AnswersDecided(task_id="t", batch_id="b")) == "t"


def test_a_message_that_is_no_event_has_no_type() -> None:
    with pytest.raises(LookupError, match=r"preceptor\.work\.v1\.Claim is not an event"):
        event_type(work_pb2.Claim)


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        (event("E", Event(key="task_id", kind=EVENT_KIND_FACT), task_id=STRING), "topic ''"),
        (event("E", Event(topic="scoring.task.v1", key="task_id", kind=EVENT_KIND_FACT), task_id=STRING), "topic"),
        (event("E", Event(topic="tasking.task.v1", key="task_id"), task_id=STRING), "kind is not stated"),
        (event("E", Event(topic="tasking.task.v1", kind=EVENT_KIND_FACT), task_id=STRING), "key ''"),
        (event("E", FACT, batch_id=STRING), "key 'task_id' is not a string field"),
        (event("E", FACT, task_id=INT64), "key 'task_id' is not a string field"),
        (event("E", STATE, task_id=STRING), "a state needs `int64 version`"),
        (event("E", STATE, task_id=STRING, version=STRING), "a state needs `int64 version`"),
    ],
)
def test_a_wrong_statement_is_refused_by_name(message: DescriptorProto, fault: str) -> None:
    with pytest.raises(ContractError, match=rf"preceptor\.tasking\.v1\.E: {fault}"):
        events_of([events_file(message)])


def test_all_wrong_statements_are_told_at_once() -> None:
    file = events_file(event("A", FACT, other=STRING), event("B", STATE, task_id=STRING))
    with pytest.raises(ContractError, match=r"v1\.A: [^\n]+\n[^\n]+v1\.B: "):
        events_of([file])


def test_an_event_outside_the_event_files_is_refused() -> None:
    # There it would be held to the wrong compatibility rules.
    file = events_file(event("E", FACT, task_id=STRING), name="preceptor/tasking/v1/work.proto")
    with pytest.raises(ContractError, match=r"must be declared at the top of an events\.proto"):
        events_of([file])


def test_a_state_does_not_share_its_topic() -> None:
    # Compaction would keep one of the two per key.
    file = events_file(
        event("A", STATE, task_id=STRING, version=INT64), event("B", STATE, task_id=STRING, version=INT64)
    )
    with pytest.raises(ContractError, match=r"tasking\.slot\.v1: a state shares its topic"):
        events_of([file])


def test_events_of_one_topic_share_their_key() -> None:
    other = Event(topic="tasking.task.v1", key="slot_id", kind=EVENT_KIND_FACT)
    file = events_file(event("A", FACT, task_id=STRING), event("B", other, slot_id=STRING))
    with pytest.raises(ContractError, match="have different keys"):
        events_of([file])
