"""What lies in topics and outboxes is read as it was written, whatever the contracts become."""

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict

from chassis.contract.events import EventType, catalogue
from tests.contract import golden_events

GOLDEN = golden_events.read()
HOW = "if it is meant, run `python -m tests.contract.golden_events` and review what it adds"


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_an_event_still_has_its_golden_bytes(golden: golden_events.Golden) -> None:
    event = catalogue().get(golden.name)
    assert event is not None, f"{golden.name} is gone, but its bytes lie in topics"
    message = ParseDict(golden.body, event.message_class())
    assert message.SerializeToString(deterministic=True) == golden.wire
    assert MessageToDict(event.message_class.FromString(golden.wire), preserving_proto_field_name=True) == golden.body


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.name)
def test_an_event_still_travels_as_it_did(golden: golden_events.Golden) -> None:
    assert golden_events.head(catalogue()[golden.name]) == golden.head


@pytest.mark.parametrize("event", catalogue().values(), ids=lambda event: event.name)
def test_every_field_of_an_event_is_in_its_golden_bytes(event: EventType) -> None:
    assert not list(golden_events.missing(GOLDEN, event)), HOW
