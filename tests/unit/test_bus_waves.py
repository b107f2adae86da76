"""Waves: many events of a type at once, and yet every key in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from chassis.bus.intake import Intake, Received
from chassis.bus.waves import latest_states, version, waves
from tests.support.bus import record
from tests.support.reactions import TYPES, completed, decided, submitted, vendor

INTAKE = Intake(TYPES, set(TYPES))
Chosen = list[tuple[Callable[[str], Message], str]]
KINDS = (completed, decided, submitted)


def received(*events: Message) -> list[Received]:
    read = [INTAKE.read(record(event, offset=offset)) for offset, event in enumerate(events)]
    return [item for item in read if item is not None]


def ids(items: Sequence[Received]) -> list[UUID]:
    return [item.event.id for item in items]


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from("abc")), max_size=30))
def test_each_event_is_in_one_wave_of_its_type_and_each_key_keeps_its_order(chosen: Chosen) -> None:
    items = received(*(make(key) for make, key in chosen))
    found = waves(items)
    flat = [item for wave in found for item in wave.events]
    assert sorted(ids(flat)) == sorted(ids(items))
    assert all(item.type is wave.type for wave in found for item in wave.events)
    for place in {(item.record.topic, item.event.key) for item in items}:
        assert [item.event.id for item in flat if (item.record.topic, item.event.key) == place] == [
            item.event.id for item in items if (item.record.topic, item.event.key) == place
        ]


@given(st.lists(st.tuples(st.sampled_from(KINDS), st.sampled_from("abc")), max_size=30))
def test_a_wave_is_sorted_by_key_so_that_rows_are_locked_in_one_order(chosen: Chosen) -> None:
    for wave in waves(received(*(make(key) for make, key in chosen))):
        keys = [item.event.key for item in wave.events]
        assert keys == sorted(keys)


def test_events_of_one_type_go_together_past_those_of_other_keys() -> None:
    found = waves(received(submitted("a"), decided("a"), submitted("b"), decided("b"), submitted("a")))
    assert [(wave.type.name.rpartition(".")[2], len(wave.events)) for wave in found] == [
        ("AnswerSubmitted", 2),
        ("AnswersDecided", 2),
        ("AnswerSubmitted", 1),
    ]


def test_of_a_state_only_the_highest_version_of_each_key_is_kept() -> None:
    kept = latest_states(received(vendor("a", 2), vendor("b", 1), vendor("a", 3), vendor("a", 1)))
    assert sorted((item.event.key, version(item)) for item in kept) == [("a", 3), ("b", 1)]
