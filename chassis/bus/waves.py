"""Batches of events in waves: many events of a type at once, and yet every key in order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from chassis.bus.intake import Received
from chassis.contract.events import EventType


@dataclass(slots=True)
class Wave:
    """Events of one type that are handed to their reaction together."""

    type: EventType
    events: list[Received] = field(default_factory=list)


def waves(received: Iterable[Received]) -> list[Wave]:
    """Puts each event into the earliest wave of its type that does not come before the last one of its key.

    Within a wave events are sorted by key, so that all consumers lock rows in one order; events of a key keep theirs.
    """
    found: list[Wave] = []
    last: dict[tuple[str, str], int] = {}
    for item in received:
        key = (item.record.topic, item.event.key)
        place = _place(found, item.type, last.get(key, 0))
        found[place].events.append(item)
        last[key] = place
    for wave in found:
        wave.events.sort(key=lambda item: item.event.key)
    return found


def latest_states(states: Iterable[Received]) -> list[Received]:
    """Of each state only the highest version of each key: the others tell nothing that it does not.

    So a reaction may write all states of a batch with one statement, which must not meet a row twice.
    """
    latest: dict[tuple[str, str], Received] = {}
    for item in states:
        key = (item.type.name, item.event.key)
        if key not in latest or version(item) > version(latest[key]):
            latest[key] = item
    return [*latest.values()]


def version(item: Received) -> int:
    """The version of a state."""
    number: int = getattr(item.event.message, "version")  # noqa: B009 the catalogue has checked that a state has one
    return number


def _place(found: list[Wave], type_: EventType, first: int) -> int:
    for place in range(first, len(found)):
        if found[place].type is type_:
            return place
    found.append(Wave(type_))
    return len(found) - 1
