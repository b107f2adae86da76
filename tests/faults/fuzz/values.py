"""Events with values that nobody would write: bent from real ones, field by field, by what their contract declares."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, MutableSequence
from typing import Any
from uuid import UUID

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_INT32 = (0, 1, -1, 7, 10_000, 10_001, 2**31 - 1, -(2**31))
_INT64 = (*_INT32, 2**31, 2**53, 10**15, 10**15 + 1, 2**63 - 1, -(2**63))
_DOUBLES = (0.0, -0.0, 0.5, 1.0, 1.0000001, -1.0, 5e-324, 1.8e308, -1e308, float("inf"), float("-inf"), float("nan"))
_TEXTS = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\x1b[2J",
    "[/bold]",
    "\u202e",
    "\U0001f600",
    "é" * 300,
    "NaN",
    "null",
    "-",
    "USD",
    "P1",
)
_LONG = 20_000
_MANY = 3_000
_MOST_BYTES = 1_500_000
"""Of what is there many times: somewhat more than the broker takes."""

Values = Callable[[random.Random], Any]


def bend(event: Message, chance: random.Random, times: int) -> None:
    """Changes some fields, at any depth, each to a value that its type can hold."""
    for _ in range(times):
        _bend_one(event, chance)


def _bend_one(message: Message, chance: random.Random) -> None:
    field = chance.choice([*message.DESCRIPTOR.fields_by_name.values()])
    nested = field.type == FieldDescriptor.TYPE_MESSAGE
    if field.is_repeated:
        _bend_list(getattr(message, field.name), field, chance)
    elif not nested:
        setattr(message, field.name, value_of(field, chance))
    elif chance.random() < 0.15:
        message.ClearField(field.name)
    else:
        inner = getattr(message, field.name)
        inner.SetInParent()
        if inner.DESCRIPTOR.fields:
            _bend_one(inner, chance)


def _bend_list(items: MutableSequence[Any], field: FieldDescriptor, chance: random.Random) -> None:
    """An element is bent, put in, taken out, or there many times."""
    what = chance.random()
    if what < 0.2 and items:
        del items[chance.randrange(len(items)) :]
    elif what < 0.6 and items and field.type == FieldDescriptor.TYPE_MESSAGE:
        _bend_one(chance.choice(items), chance)
    elif what < 0.95:
        _add(items, field, chance)
    else:
        _add(items, field, chance)
        items.extend([items[-1]] * chance.randrange(max(1, min(_MANY, _MOST_BYTES // _size_of(items[-1])))))


def _size_of(item: object) -> int:
    return item.ByteSize() + 1 if isinstance(item, Message) else len(str(item)) + 1


def _add(items: MutableSequence[Any], field: FieldDescriptor, chance: random.Random) -> None:
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        items.append(value_of(field, chance))
        return
    made = items.add()  # type: ignore[attr-defined]
    if made.DESCRIPTOR.fields:
        _bend_one(made, chance)


def value_of(field: FieldDescriptor, chance: random.Random) -> Any:  # noqa: ANN401
    """A value of a scalar field: at an edge, out of all reason, or a usual one."""
    return _VALUES[field.cpp_type](chance)


def _text(chance: random.Random) -> str:
    what = chance.random()
    if what < 0.3:
        return str(UUID(int=chance.getrandbits(128), version=4))
    if what < 0.9:
        return chance.choice(_TEXTS)
    return chance.choice(_TEXTS[1:]) * chance.randrange(1, _LONG)


_VALUES: Mapping[int, Values] = {
    FieldDescriptor.CPPTYPE_INT32: lambda chance: chance.choice(_INT32),
    FieldDescriptor.CPPTYPE_INT64: lambda chance: chance.choice(_INT64),
    FieldDescriptor.CPPTYPE_UINT32: lambda chance: abs(chance.choice(_INT32)),
    FieldDescriptor.CPPTYPE_UINT64: lambda chance: abs(chance.choice(_INT64)),
    FieldDescriptor.CPPTYPE_DOUBLE: lambda chance: chance.choice(_DOUBLES),
    FieldDescriptor.CPPTYPE_FLOAT: lambda chance: chance.choice(_DOUBLES),
    FieldDescriptor.CPPTYPE_BOOL: lambda chance: chance.random() < 0.5,
    FieldDescriptor.CPPTYPE_ENUM: lambda chance: chance.choice((0, 1, 2, 3, 99, -1, 2**31 - 1)),
    FieldDescriptor.CPPTYPE_STRING: _text,
}
