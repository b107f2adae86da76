"""The event catalogue: how each event travels, as the option on its message says."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from preceptor.options.v1 import event_pb2

from chassis.contract.descriptors import ContractError, files, messages, owner_of

_TOPIC = re.compile(r"[a-z]+\.[a-z][a-z0-9_]*\.v[1-9][0-9]*")


class Kind(Enum):
    """What an event tells: a state by version on a compacted topic, or a fact that is taken once."""

    STATE = event_pb2.EVENT_KIND_STATE
    FACT = event_pb2.EVENT_KIND_FACT


@dataclass(frozen=True, slots=True)
class EventType:
    """How one type of event travels."""

    name: str
    """Full message name, which is also the CloudEvents type."""
    topic: str
    key_field: str
    kind: Kind
    public: bool
    """Whether the event is for the outside and may have no consumer among the services."""
    owner: str
    """The service that alone may write it."""
    message_class: type[Message]
    retention: timedelta | None = None
    """How long a state is kept at most, where it means nothing after a while."""
    per_answer: bool = False
    """Whether it comes with every answer, and is held against its contract only when it cannot be applied."""


@cache
def catalogue() -> Mapping[str, EventType]:
    """Every event of the contracts by full message name. Raises `ContractError` if an option is wrong."""
    return events_of(files())


def events_of(contracts: Iterable[FileDescriptor]) -> Mapping[str, EventType]:
    """The events that some files declare, by full message name. Raises `ContractError` if an option is wrong."""
    declared = [message for file in contracts for message in messages(file) if _option(message) is not None]
    ContractError.raise_for(problem for message in declared for problem in _problems(message))
    types = {message.full_name: _event_type(message) for message in declared}
    ContractError.raise_for(_topic_problems(types.values()))
    return MappingProxyType(types)


def event_type(event: Message | type[Message]) -> EventType:
    """How an event travels. Raises `LookupError` for a message that is no event."""
    cls = event if isinstance(event, type) else type(event)
    try:
        return _by_class()[cls]
    except KeyError:
        raise LookupError(f"{cls.DESCRIPTOR.full_name} is not an event") from None


def key_of(event: Message) -> str:
    """The Kafka key of an event. Raises `LookupError` for a message that is no event."""
    key: str = getattr(event, event_type(event).key_field)
    return key


@cache
def _by_class() -> Mapping[type[Message], EventType]:
    return {type_.message_class: type_ for type_ in catalogue().values()}


def _event_type(message: Descriptor) -> EventType:
    option = _option(message) or event_pb2.Event()
    return EventType(
        name=message.full_name,
        topic=option.topic,
        key_field=option.key,
        kind=Kind(option.kind),
        public=option.public,
        owner=owner_of(message.file.package),
        message_class=GetMessageClass(message),
        retention=timedelta(seconds=option.retention_seconds) if option.retention_seconds else None,
        per_answer=option.per_answer,
    )


def _option(message: Descriptor) -> event_pb2.Event | None:
    options = message.GetOptions()
    return options.Extensions[event_pb2.event] if options.HasExtension(event_pb2.event) else None


def _problems(message: Descriptor) -> Iterator[str]:
    """What is wrong with the option of one event."""
    option, name = _option(message) or event_pb2.Event(), message.full_name
    owner = owner_of(message.file.package)
    if not message.file.name.endswith("/events.proto") or message.containing_type is not None:
        # Where events lie decides which compatibility rules they are held to.
        yield f"{name}: an event must be declared at the top of an events.proto"
    if not _TOPIC.fullmatch(option.topic) or not option.topic.startswith(f"{owner}."):
        yield f"{name}: topic {option.topic!r} is not of the form {owner}.<aggregate>.v<number>"
    if option.kind not in {kind.value for kind in Kind}:
        yield f"{name}: kind is not stated"
    if option.retention_seconds < 0 or (option.retention_seconds and option.kind != event_pb2.EVENT_KIND_STATE):
        yield f"{name}: only a state has a retention of its own, and it is not negative"
    if not _has(message, option.key, FieldDescriptor.TYPE_STRING):
        yield f"{name}: key {option.key!r} is not a string field of the message"
    if option.kind == event_pb2.EVENT_KIND_STATE and not _has(message, "version", FieldDescriptor.TYPE_INT64):
        yield f"{name}: a state needs `int64 version`, by which it is applied"


def _has(message: Descriptor, field: str, type_: int) -> bool:
    found = message.fields_by_name.get(field)
    return found is not None and found.type == type_ and not found.is_repeated


def _topic_problems(types: Iterable[EventType]) -> Iterator[str]:
    """What is wrong with what shares a topic. Compaction keeps one record a key, so a state shares with nothing."""
    topics = defaultdict(list)
    for type_ in types:
        topics[type_.topic].append(type_)
    for topic, sharing in topics.items():
        if len(sharing) > 1 and any(type_.kind is Kind.STATE for type_ in sharing):
            yield f"{topic}: a state shares its topic: {', '.join(type_.name for type_ in sharing)}"
        if len({type_.key_field for type_ in sharing}) > 1:
            yield f"{topic}: its events have different keys: {', '.join(type_.name for type_ in sharing)}"
