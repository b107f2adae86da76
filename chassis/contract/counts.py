"""Which lists of a message have more items than the contract lets them have, found without a look at the items.

The rules on fields say so too, but whoever evaluates them looks at every item first.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from chassis.contract.largest import rules_of

_FEW_BYTES = 1024
"""An item takes two bytes at least: what is smaller holds so few that all may be looked at."""


def overfull(message: Message) -> tuple[str, str] | None:
    """The path of the first list with too many items, and what to tell whoever sent it; nothing if there is none."""
    if message.ByteSize() <= _FEW_BYTES:
        return None
    return next(_look(message, ""), None)


def _look(message: Message, path: str) -> Iterator[tuple[str, str]]:
    looked_at = _lists(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if (most := looked_at.get(field.number)) is None:
            continue
        name = path + field.name
        if not field.is_repeated:
            yield from _look(value, name + ".")
        elif most and len(value) > most:
            yield name, f"must contain no more than {most} item(s)"
        elif field.message_type is not None and _lists(field.message_type) and not _is_map(field.message_type):
            for place, item in enumerate(value):
                yield from _look(item, f"{name}[{place}].")


@cache
def _lists(message: Descriptor, above: frozenset[str] = frozenset()) -> dict[int, int]:
    """By number the fields that are lists, or hold some: the most items, 0 where no rule on the field says."""
    if message.full_name in above:
        return {}
    found, within = {}, above | {message.full_name}
    for field in message.fields:
        rules = rules_of(field)
        if most := rules.map.max_pairs or rules.repeated.max_items:
            found[field.number] = most
        elif field.message_type is not None and _lists(field.message_type, within):
            found[field.number] = 0
    return found


def _is_map(entry: Descriptor) -> bool:
    return bool(entry.GetOptions().map_entry)
