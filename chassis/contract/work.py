"""Task types: which there are, and whether what an expert answers is of the type that was asked.

A type is one field of the `type` oneof in `Payload`, `Answer` and `Result`, under one name and number in all three, and
one value of `TaskType` with that number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from google.protobuf.message import Message
from preceptor.work.v1.work_pb2 import TASK_TYPE_UNSPECIFIED, Answer, Payload, Result, TaskType

from chassis.contract.descriptors import ContractError

_ENVELOPES = (Payload, Answer, Result)
_PREFIX = "TASK_TYPE_"


@dataclass(frozen=True, slots=True)
class TaskTypeParts:
    """What belongs to one task type."""

    number: TaskType.ValueType
    name: str
    """The name of its field in the envelopes and of its proto file, like "pairwise_preference"."""
    payload_class: type[Message]
    answer_class: type[Message]
    result_class: type[Message]


@cache
def task_types() -> Mapping[str, TaskTypeParts]:
    """Every task type by name. Raises `ContractError` if the envelopes and the enum do not agree."""
    ContractError.raise_for(_problems())
    return MappingProxyType({name: _parts(name, number) for name, number in _fields(Payload).items()})


def task_type_of(envelope: Payload | Answer | Result) -> TaskType.ValueType:
    """The task type of what an envelope holds; ``TASK_TYPE_UNSPECIFIED`` if it is empty."""
    name = envelope.WhichOneof("type")
    return task_types()[name].number if name else TASK_TYPE_UNSPECIFIED


def answer_fits(payload: Payload, answer: Answer) -> bool:
    """Whether the answer is of the payload's type. An empty one fits nothing."""
    name = answer.WhichOneof("type")
    return name is not None and name == payload.WhichOneof("type")


def _parts(name: str, number: int) -> TaskTypeParts:
    payload, answer, result = (type(getattr(envelope(), name)) for envelope in _ENVELOPES)
    return TaskTypeParts(TaskType.ValueType(number), name, payload, answer, result)


def _fields(envelope: type[Message]) -> dict[str, int]:
    """Name and number of each type that an envelope may hold."""
    return {field.name: field.number for field in envelope.DESCRIPTOR.oneofs_by_name["type"].fields}


def _problems() -> Iterator[str]:
    """Where the envelopes, the enum and the files do not agree."""
    wanted = {name.removeprefix(_PREFIX).lower(): number for name, number in TaskType.items() if number}
    for envelope in _ENVELOPES:
        if (found := _fields(envelope)) != wanted:
            yield f"{envelope.DESCRIPTOR.full_name} and TaskType do not agree: {found} and {wanted}"
        yield from _misnamed(envelope)


def _misnamed(envelope: type[Message]) -> Iterator[str]:
    """Types of an envelope whose message is not named and placed like the others."""
    for field in envelope.DESCRIPTOR.oneofs_by_name["type"].fields:
        message = "".join(part.capitalize() for part in field.name.split("_")) + envelope.DESCRIPTOR.name
        file = f"preceptor/work/v1/{field.name}.proto"
        if field.message_type is None or (field.message_type.name, field.message_type.file.name) != (message, file):
            yield f"{field.full_name} is not {message} of {file}"
