"""Events that nobody can read, from the topic's owner: they must end as dead letters and park a key each."""

from __future__ import annotations

import json
from dataclasses import dataclass
from uuid import UUID

from chassis.bus.envelope import HeaderWriter
from chassis.bus.intake import Record
from chassis.bus.topics import dead_letters
from chassis.contract.events import Kind, catalogue
from chassis.ids import new_id
from services.payouts.service import SERVICE as PAYOUTS
from services.scoring.service import SERVICE as SCORING
from services.tasking.service import SERVICE as TASKING
from tests.support.bus import Bus

BROKEN = b"\xff\xff\xff"
REASON = "UNDECODABLE"
REACTIONS = {
    service.name: {message.DESCRIPTOR.full_name for message in service.reactions}
    for service in (TASKING, SCORING, PAYOUTS)
}


@dataclass(frozen=True)
class Poison:
    """A planted event and the consumers that have to refuse it."""

    id: UUID
    topic: str
    key: str
    consumers: frozenset[str]


def topics_of(service: str) -> set[str]:
    """The topics that a service consumes."""
    return {catalogue()[name].topic for name in REACTIONS.get(service, ())}


def broken(type_name: str, key: str) -> tuple[Poison, Record]:
    """A broken event of a type under a key, and its record."""
    type_ = catalogue()[type_name]
    consumers = frozenset(service for service, names in REACTIONS.items() if type_name in names)
    poison = Poison(new_id(), type_.topic, key, consumers)
    headers = json.loads(HeaderWriter(type_name, type_.owner).write(poison.id, key, None))
    pairs = [(name, value.encode()) for name, value in headers.items()]
    return poison, Record(type_.topic, 0, 0, key.encode(), BROKEN, pairs)


def on_throw_away_keys() -> list[tuple[Poison, Record]]:
    """One of each kind of fact that a service reacts to, each on a key of its own."""
    facts = [name for name, type_ in sorted(catalogue().items()) if type_.kind is Kind.FACT]
    heard = set().union(*REACTIONS.values())
    return [broken(name, str(new_id())) for name in facts if name in heard]


async def letters(bus: Bus, planted: list[Poison]) -> dict[tuple[UUID, str], str]:
    """The dead letters of planted events: event and consumer -> reason."""
    found = {}
    wanted = {str(poison.id) for poison in planted}
    for topic in sorted({poison.topic for poison in planted}):
        for record in await bus.read(dead_letters(topic)):
            headers = {name: (value or b"").decode() for name, value in record.headers}
            if headers["ce_id"] in wanted and record.value == BROKEN:
                found[UUID(headers["ce_id"]), headers["dlq_consumer"]] = headers["dlq_reason"]
    return found


@dataclass(frozen=True)
class Stranger:
    """A dead letter that nobody planted."""

    type: str
    key: str
    consumer: str
    reason: str


async def strangers(bus: Bus, planted: list[Poison]) -> list[Stranger]:
    """Dead letters that nobody planted."""
    wanted = {str(poison.id) for poison in planted}
    found = []
    for topic in sorted({type_.topic for type_ in catalogue().values()}):
        for record in await bus.read(dead_letters(topic)):
            said = {name: (value or b"").decode() for name, value in record.headers}
            if said["ce_id"] not in wanted:
                found.append(
                    Stranger(said["ce_type"], said.get("ce_subject", ""), said["dlq_consumer"], said["dlq_reason"])
                )
    return found
