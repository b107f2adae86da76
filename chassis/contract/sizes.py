"""What of a message is larger than the contract lets it be.

Rules on fields count characters and items; the options `max_bytes` of messages and `field_max_bytes` of fields bound
the bytes that these can come to together. What follows from both is computed in `largest.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from preceptor.options.v1 import size_pb2


@dataclass(frozen=True, slots=True)
class Oversized:
    """A part of a message that is too large."""

    field: str
    """Its path, like ``predictions`` or ``decisions[2]``; empty for the message itself."""
    size: int
    """In bytes, like the limit."""
    limit: int

    @property
    def words(self) -> str:
        """What to tell whoever sent it."""
        return f"must have at most {self.limit:,} bytes, not {self.size:,}"


@cache
def limit_of(message: Descriptor) -> int | None:
    """The most bytes that the contract lets a message have, if it says."""
    return message.GetOptions().Extensions[size_pb2.max_bytes] or None


@cache
def field_limit_of(field: FieldDescriptor) -> int | None:
    """The most bytes that the contract lets all values of a field have together, if it says."""
    return field.GetOptions().Extensions[size_pb2.field_max_bytes] or None


def oversized(message: Message, at_most: int) -> list[Oversized]:
    """What of a message is too large, the whole before its parts.

    `at_most` is a size in bytes that it is known not to exceed. Most messages are so small that no part of them can be
    too large: then nothing is measured. Rows that are refused one by one are not looked at.
    """
    smallest = _smallest_limit(message.DESCRIPTOR)
    return [] if smallest is None or at_most <= smallest else list(_look(message, "", None))


def heaviest(message: Message) -> str:
    """The path of the field that most of a message is in; empty where it is in none that the contract knows."""
    sizes = {field: _size(getattr(message, field.name)) for field, _ in message.ListFields()}
    if not sizes:
        return ""
    field = max(sizes, key=lambda each: sizes[each])
    inner = heaviest(getattr(message, field.name)) if field.message_type and not field.is_repeated else ""
    return f"{field.name}.{inner}" if inner else field.name


def _size(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Message):
        return value.ByteSize()
    return sum(map(_size, value)) if isinstance(value, Iterable) and not isinstance(value, bytes) else 0


def _look(message: Message, path: str, limit: int | None) -> Iterator[Oversized]:
    """What is too large of a message at some path, for which its field may have a limit besides."""
    yield from _over(path, message.ByteSize(), limit, limit_of(message.DESCRIPTOR))
    for field in _limited(message.DESCRIPTOR):
        inner = f"{path}.{field.name}" if path else field.name
        if field.is_repeated:
            yield from _look_at_items(getattr(message, field.name), inner, field_limit_of(field))
        elif message.HasField(field.name):
            yield from _look(getattr(message, field.name), inner, field_limit_of(field))


def _look_at_items(items: Iterable[Message], path: str, limit: int | None) -> Iterator[Oversized]:
    yield from _over(path, sum(item.ByteSize() for item in items), limit)
    for place, item in enumerate(items):
        yield from _look(item, f"{path}[{place}]", None)


def _over(path: str, size: int, *limits: int | None) -> Iterator[Oversized]:
    stated = [limit for limit in limits if limit]
    if stated and size > min(stated):
        yield Oversized(path, size, min(stated))


@cache
def _limited(message: Descriptor) -> tuple[FieldDescriptor, ...]:
    """The fields of a message that have a limit, or in which something has one."""
    return tuple(field for field in message.fields if _looked_at(field) and _field_limits(field))


@cache
def _smallest_limit(message: Descriptor) -> int | None:
    """The smallest limit of a message and its parts, if there is any."""
    own = limit_of(message)
    return min(
        [*([own] if own else []), *(size for field in _limited(message) for size in _field_limits(field))], default=None
    )


def _field_limits(field: FieldDescriptor) -> list[int]:
    inner = _smallest_limit(field.message_type) if field.message_type else None
    return [limit for limit in (field_limit_of(field), inner) if limit]


def _looked_at(field: FieldDescriptor) -> bool:
    """Whether it holds messages that are refused together with what they are in."""
    rules = field.GetOptions().Extensions[validate_pb2.field]
    return field.message_type is not None and rules.repeated.items.ignore != validate_pb2.IGNORE_ALWAYS
