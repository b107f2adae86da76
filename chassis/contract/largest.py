"""The largest that things can be, computed from what the contract says of their fields, in bytes on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from chassis.contract.sizes import field_limit_of, limit_of

LARGEST_MESSAGE = 4 * 1024 * 1024
"""What gRPC clients and servers take by default: no request and no reply may be larger."""

_BYTES_A_CHARACTER = 4  # of UTF-8, at most
_UUID = 36
_FIXED: Mapping[int, int] = {
    FieldDescriptor.TYPE_BOOL: 1,
    FieldDescriptor.TYPE_DOUBLE: 8,
    FieldDescriptor.TYPE_FIXED64: 8,
    FieldDescriptor.TYPE_SFIXED64: 8,
    FieldDescriptor.TYPE_FLOAT: 4,
    FieldDescriptor.TYPE_FIXED32: 4,
    FieldDescriptor.TYPE_SFIXED32: 4,
    FieldDescriptor.TYPE_UINT32: 5,
    FieldDescriptor.TYPE_SINT32: 5,
}
_VARINT = 10  # of all other numbers: negative ones take so many
_TEXTS = (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


@cache
def largest(message: Descriptor) -> int | None:
    """The size of the largest message of a type that keeps its rules; nothing if no rule bounds it."""
    parts = [_largest_field(field) for field in message.fields if field.containing_oneof is None]
    parts += [_most(_largest_field(field) for field in oneof.fields) for oneof in message.oneofs]
    return _least(limit_of(message), _sum(parts))


def unbounded(message: Descriptor, path: str = "") -> Iterator[str]:
    """The paths of texts and lists in a message whose size no rule bounds, be it on them or on what holds them."""
    if limit_of(message):
        return
    for field in message.fields:
        inner = f"{path}.{field.name}" if path else field.name
        if field_limit_of(field):
            continue
        if field.is_repeated and not _most_items(field):
            yield inner
        elif field.message_type is not None:
            yield from unbounded(field.message_type, inner)
        elif field.type in _TEXTS and _largest_value(field, _rules_of_each(field)) is None:
            yield inner


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """What the contract says of the values of a field."""
    rules: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return rules


def _largest_field(field: FieldDescriptor) -> int | None:
    tag = _varint(field.number << 3)
    if not field.is_repeated:
        return _framed(tag, field, _least(field_limit_of(field), _largest_value(field, _rules_of_each(field))))
    items = _framed(tag, field, _largest_value(field, _rules_of_each(field)))
    count = _most_items(field)
    # The limit of a list counts its items; each has a tag and a length besides, and is at least empty.
    limit = field_limit_of(field)
    together = limit + (count or limit) * (tag + _varint(limit)) if limit else None
    return _least(together, items * count if items is not None and count else None)


def _rules_of_each(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return rules_of(field).repeated.items if field.is_repeated else rules_of(field)


def _largest_value(field: FieldDescriptor, rules: validate_pb2.FieldRules) -> int | None:
    if field.message_type is not None:
        return largest(field.message_type)
    if field.type in _TEXTS:
        return _largest_text(rules)
    return _FIXED.get(field.type, _VARINT)


def _largest_text(rules: validate_pb2.FieldRules) -> int | None:
    text = rules.string
    characters = _least(text.max_len or None, text.len or None, _width(text.pattern), _UUID if text.uuid else None)
    in_bytes = _least(text.max_bytes or None, text.len_bytes or None, rules.bytes.max_len or None)
    return _least(in_bytes, characters * _BYTES_A_CHARACTER if characters else None)


@cache
def _width(pattern: str) -> int | None:
    """The most characters that a pattern lets through; nothing if it is not anchored, or lets any number through."""
    if not (pattern.startswith("^") and pattern.endswith("$")):
        return None
    # The parser of the standard library's own compiler: nothing else there tells how long a match can be.
    from re import _parser  # type: ignore[attr-defined]

    most = int(_parser.parse(pattern).getwidth()[1])
    return most if most < 100_000 else None


def _most_items(field: FieldDescriptor) -> int | None:
    rules = rules_of(field)
    return rules.map.max_pairs or rules.repeated.max_items or None


def _framed(tag: int, field: FieldDescriptor, size: int | None) -> int | None:
    """With tag and, where it has one, length."""
    if size is None:
        return None
    return tag + size + (_varint(size) if field.message_type is not None or field.type in _TEXTS else 0)


def _varint(number: int) -> int:
    return max(1, -(-number.bit_length() // 7))


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)


def _most(sizes: Iterator[int | None]) -> int | None:
    known = list(sizes)
    return None if None in known else max(size for size in known if size is not None)


def _sum(sizes: list[int | None]) -> int | None:
    return None if None in sizes else sum(size for size in sizes if size is not None)
