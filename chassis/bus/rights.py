"""What a service must be let do at Kafka, where rules guard it: found in the contracts, like the topics.

Who writes to a topic is its owner alone. A consumer writes besides to the dead letters of what it hears.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from google.protobuf.message import Message
from preceptor.identity.v1.events_pb2 import Revoked

from chassis.bus.broadcast import GROUP
from chassis.bus.topics import dead_letters, topics_of
from chassis.contract.events import catalogue, event_type


class Resource(StrEnum):
    """On what there are rights."""

    TOPIC = "TOPIC"
    GROUP = "GROUP"


class Operation(StrEnum):
    """What may be done; who may read or write may describe as well."""

    READ = "READ"
    WRITE = "WRITE"
    DESCRIBE = "DESCRIBE"


@dataclass(frozen=True, slots=True)
class Right:
    """One thing that one service may do, by the resource's whole name."""

    resource: Resource
    name: str
    operation: Operation


def rights_of(service: str, hears: Collection[type[Message]], prefix: str = "") -> frozenset[Right]:
    """All that a service needs in its roles, told the events that it reacts to.

    Its migration makes topics, which is an administrator's right, only where some are missing: it looks at all of them.
    """
    types = catalogue().values()
    heard = {event_type(event).topic for event in hears}
    topics = {
        Operation.DESCRIBE: {topic.name for topic in topics_of(types)},
        Operation.WRITE: {type_.topic for type_ in types if type_.owner == service} | set(map(dead_letters, heard)),
        Operation.READ: heard | {event_type(Revoked).topic},  # every process hears at once whose tokens have ended
    }
    groups = {Operation.READ: {service}, Operation.DESCRIBE: {GROUP}}
    return frozenset(
        Right(resource, prefix + name, operation)
        for resource, rights in ((Resource.TOPIC, topics), (Resource.GROUP, groups))
        for operation, names in rights.items()
        for name in names
    )
