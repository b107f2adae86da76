"""One record each, wrong in one place or several, with what must become of it where that is certain."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from chassis.bus.envelope import source_of
from chassis.bus.intake import Record
from chassis.bus.outbox import MAX_PAYLOAD
from chassis.contract.events import EventType, Kind, catalogue
from chassis.ids import new_id
from deploy.local.services import SERVICES
from tests.faults.fuzz.values import bend
from tests.support.raw_kafka import Headers
from tests.support.services import reactions_of

TYPES = catalogue()
TOPICS = sorted({type_.topic for type_ in TYPES.values()})
REACTS: Mapping[str, frozenset[str]] = {
    name: frozenset(service for service in SERVICES if name in reactions_of(service)) for name in TYPES
}
"""The services that react to a type."""
HEARS: Mapping[str, frozenset[str]] = {
    topic: frozenset(one for type_ in TYPES.values() if type_.topic == topic for one in REACTS[type_.name])
    for topic in TOPICS
}
"""The services that read a topic."""
_MOST_TOLD = 1_500
_OLDEST, _NEWEST = -(2**62), 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Case:
    """A record to write. `letters` are the services that must have it as a dead letter, none where it must be applied;
    `None` where either may be right, as long as it is done with once.
    """

    kind: str
    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    letters: frozenset[str] | None = None
    time_ms: int | None = None
    number: int = -1
    """Which of its seed's cases it is."""

    def __str__(self) -> str:
        """Enough to write it again."""
        told = (
            f"case {self.number} ({self.kind}) in {self.topic}: key {_told(self.key)}, headers {self.headers!r:.1200}"
        )
        return f"{told}, time {self.time_ms}, value {_told(self.value)}"


class Base:
    """A real event to start from, with an id of its own."""

    def __init__(self, record: Record) -> None:
        headers = {name: value for name, value in record.headers if name != "ce_id"}
        self.type: EventType = TYPES[(headers["ce_type"] or b"").decode()]
        self.record = record
        self._headers = headers

    @property
    def case(self) -> Case:
        """The event as it is, but new."""
        named = [(name.encode(), value) for name, value in self._headers.items()]
        headers = [*named, (b"ce_id", str(new_id()).encode())]
        return Case("as it was", self.record.topic, self.record.key, self.record.value, headers)

    @property
    def reacts(self) -> frozenset[str]:
        """Where it counts."""
        return REACTS[self.type.name]


Bend = Callable[[Base, random.Random], Case]


def cases(records: Sequence[Record], seed: int, number: int) -> Iterator[Case]:
    """So many cases, from events of each type in turn; the same for the same seed and events of these types."""
    chance = random.Random(seed)
    by_type: dict[str, list[Base]] = {}
    for record in records:
        base = Base(record)
        by_type.setdefault(base.type.name, []).append(base)
    types = sorted(by_type)
    for place in range(number):
        base = chance.choice(by_type[types[place % len(types)]])
        kind = chance.choices(list(_KINDS), [weight for weight, _ in _KINDS.values()])[0]
        yield replace(_KINDS[kind][1](base, chance), kind=kind, number=place)


def _told(raw: bytes | None) -> str:
    if raw is None:
        return "none"
    return f"{raw[:_MOST_TOLD].hex()}{f' ... of {len(raw)} bytes' if len(raw) > _MOST_TOLD else ''}"


def with_header(case: Case, name: bytes, value: bytes | None) -> Case:
    """The case with one header in the place of those of its name."""
    return replace(case, headers=[*(pair for pair in case.headers if pair[0] != name), (name, value)])


def _values(base: Base, chance: random.Random) -> Case:
    """The contract's own bytes, the key in its place, and in the fields whatever fits their types."""
    event = base.type.message_class.FromString(base.record.value or b"")
    bend(event, chance, chance.choice((1, 1, 1, 2, 3, 8)))
    key: str = getattr(event, base.type.key_field)
    return replace(base.case, key=key.encode(), value=event.SerializeToString())


def _random_value(base: Base, chance: random.Random) -> Case:
    size = chance.choice((0, 1, 2, 10, 100, 5_000, 300_000))
    state_without = base.type.kind is Kind.STATE and chance.random() < 0.2
    value = None if state_without else chance.randbytes(size)
    return replace(base.case, value=value, letters=frozenset() if value is None else base.reacts)


def _hurt_value(base: Base, chance: random.Random) -> Case:
    """Some bits the other way round, or less of it, or more."""
    value = bytearray(base.record.value or b"")
    what = chance.random()
    if what < 0.3:
        del value[chance.randrange(len(value)) :]
    elif what < 0.5:
        value += chance.randbytes(chance.randrange(1, 40))
    else:
        for _ in range(chance.randrange(1, 6)):
            value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
    return replace(base.case, value=bytes(value))


def _long_value(base: Base, chance: random.Random) -> Case:
    unknown_field = b"\xfa\xff\xff\x0f"  # a field that no contract has, and what follows as its bytes
    size = MAX_PAYLOAD - chance.randrange(2_000)
    more = unknown_field + bytes(((size & 0x7F) | 0x80, (size >> 7 & 0x7F) | 0x80, size >> 14)) + bytes(size)
    return replace(base.case, value=(base.record.value or b"") + more)


def _framed(base: Base, _: random.Random) -> Case:
    return replace(base.case, value=b"\x00\x00\x00\x00\x07\x00" + (base.record.value or b""), letters=base.reacts)


def _random_key(base: Base, chance: random.Random) -> Case:
    size = chance.choice((0, 1, 36, 255, 256, 257, 6_000, 60_000))
    # A compacted topic takes no record without a key, nor any of those that were sent with it.
    none = base.type.kind is Kind.FACT and chance.random() < 0.3
    return replace(base.case, key=None if none else chance.randbytes(size), letters=base.reacts)


def _header_name(base: Base, chance: random.Random) -> Case:
    case = base.case
    name = chance.choice((b"\xff\xfe", b"ce_id\xc0", b"\x80" * 300, b"\xed\xa0\x80"))
    headers = [*case.headers, (name, chance.randbytes(5))]
    chance.shuffle(headers)
    return replace(case, headers=headers, letters=HEARS[case.topic])


def _odd_headers(base: Base, chance: random.Random) -> Case:
    """Headers that are not ours, or that say nothing: they change nothing."""
    case = base.case
    odd = chance.choice(
        (
            [(b"", None)],
            [(chance.randbytes(3).hex().encode(), chance.randbytes(2_000)) for _ in range(50)],
            [(b"h", b"x")] * 3_000,
            [(b"traceparent", chance.randbytes(chance.randrange(100)))],
            [(b"traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01")],
            [(b"name\x00more", b"\x00")],
            [(b"content-type", b"\xff")],
            [(b"ce_subject", b"\x00"), (b"ce_dataschema", b"\xff" * 3_000)],
        )
    )
    kept = [pair for pair in case.headers if pair[0] not in {name for name, _ in odd}]
    return replace(case, headers=[*kept, *odd])


def _header_value(base: Base, chance: random.Random) -> Case:
    """One of our headers says what it cannot."""
    name = chance.choice((b"ce_id", b"ce_time", b"ce_source", b"ce_type"))
    wrong = chance.choice((None, b"", b"\x00", b"\xff\xfe", b"a\x00b", chance.randbytes(40), b"9" * 30_000))
    hears = HEARS[base.type.topic]
    return replace(with_header(base.case, name, wrong), letters=hears if name == b"ce_type" else base.reacts)


def _left_out(base: Base, chance: random.Random) -> Case:
    case = base.case
    name = chance.choice((b"ce_id", b"ce_time", b"ce_source", b"ce_type"))
    headers = [pair for pair in case.headers if pair[0] != name] if chance.random() < 0.7 else []
    everywhere = name == b"ce_type" or not headers
    return replace(case, headers=headers, letters=HEARS[case.topic] if everywhere else base.reacts)


def _time(base: Base, chance: random.Random) -> Case:
    times = (b"0001-01-01T00:00:00+14:00", b"9999-12-31T23:59:59-14:00", b"2026-01-01", b"2026-01-01T00:00:00", b"now")
    return replace(with_header(base.case, b"ce_time", chance.choice(times)), letters=base.reacts)


def _broker_time(base: Base, chance: random.Random) -> Case:
    return replace(base.case, time_ms=chance.choice((_OLDEST, -5, -1, 1, _NEWEST)))


def _stranger(base: Base, chance: random.Random) -> Case:
    """Another service says what is not its to say, or one says it where it does not belong."""
    if chance.random() < 0.5:
        other = chance.choice([service for service in SERVICES if service != base.type.owner])
        return replace(with_header(base.case, b"ce_source", source_of(other).encode()), letters=base.reacts)
    topic = chance.choice([topic for topic in TOPICS if topic != base.type.topic])
    return replace(base.case, topic=topic, letters=HEARS[topic] & base.reacts)


def _other_type(base: Base, chance: random.Random) -> Case:
    """The bytes of one type, told to be of another of the same topic or of another."""
    other = TYPES[chance.choice([name for name in sorted(TYPES) if name != base.type.name])]
    case = with_header(base.case, b"ce_type", other.name.encode())
    return replace(case, letters=HEARS[case.topic] & REACTS[other.name] if other.topic != case.topic else None)


def _repeated(base: Base, chance: random.Random) -> Case:
    """The id of an event that came before."""
    case = _values(base, chance)
    return with_header(case, b"ce_id", dict(base.record.headers)["ce_id"])


# Half of all cases are of the fields' values, which most of the code is about.
_KINDS: Mapping[str, tuple[int, Bend]] = {
    "values": (60, _values),
    "as it was, again": (6, lambda base, _: base.case),
    "random value": (6, _random_value),
    "hurt value": (10, _hurt_value),
    "long value": (1, _long_value),
    "framed value": (2, _framed),
    "random key": (6, _random_key),
    "name of a header": (6, _header_name),
    "odd headers": (8, _odd_headers),
    "value of a header": (8, _header_value),
    "header left out": (4, _left_out),
    "time": (3, _time),
    "broker's time": (3, _broker_time),
    "stranger": (6, _stranger),
    "other type": (5, _other_type),
    "repeated": (6, _repeated),
}
