"""Records that a stranger could write, on a real Kafka: nobody who reads ends or stops, and what is good is applied."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from confluent_kafka import Producer
from preceptor.identity.v1.events_pb2 import Revoked

from chassis.bus.broadcast import Broadcast
from chassis.bus.brokers import client_settings
from chassis.bus.envelope import LONGEST_KEY
from chassis.bus.handler import Handler
from chassis.bus.outbox import MAX_PAYLOAD
from chassis.contract.events import event_type
from chassis.db import Database, Scope
from chassis.ids import new_id
from tests.support.bus import Bus, eventually, record, running
from tests.support.raw_kafka import Headers, RawProducer, raw_producer
from tests.support.reactions import completed, handler, revoked

TOPIC = "tasking.batch.v1"
SOME = random.Random(7)
ONE_BATCH = {
    "compression_type": "zstd",
    "message_max_bytes": "900000000",
    "batch_size": "900000000",
    "linger_ms": "60000",
}


@dataclass(frozen=True)
class Raw:
    """A record by its bytes; `why` is the reason of its dead letter, nothing if it is to be applied."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    why: str = ""
    cut: bool = False
    time_ms: int | None = None

    def write(self, producer: RawProducer, topic: str) -> None:
        producer.write(topic, self.value, self.key, self.headers, partition=0, time_ms=self.time_ms)


def good(number: int = 1, *more: tuple[bytes, bytes | None]) -> Raw:
    event = record(completed(str(new_id()), number))
    return Raw(event.key, event.value, [*((name.encode(), value) for name, value in event.headers), *more])


def with_header(name: bytes, value: bytes | None, why: str = "", cut: bool = False) -> Raw:
    own = good()
    return replace(own, headers=[*(pair for pair in own.headers if pair[0] != name), (name, value)], why=why, cut=cut)


def with_key(key: bytes, cut: bool = False) -> Raw:
    return replace(good(), key=key, why="UNDECODABLE", cut=cut)


def of_key(key: str, cut: bool = False) -> Raw:
    """An event whose own field is as wrong as its key."""
    event = record(completed(key))
    headers = [(name.encode(), value) for name, value in event.headers]
    return Raw(event.key, event.value, headers, "UNDECODABLE", cut)


STRANGE: dict[str, Callable[[], Raw]] = {
    "a traceparent that is not text": lambda: with_header(b"traceparent", b"\xff\xfe"),
    "a traceparent of a megabyte": lambda: with_header(b"traceparent", b"0" * 800_000),
    "a header's name that is not UTF-8": lambda: with_header(b"\xff\xfe", b"1", "UNREADABLE", cut=True),
    "a header without a name": lambda: with_header(b"", b"1"),
    "a header without a value": lambda: with_header(b"odd", None),
    "a header with a NUL in its name": lambda: with_header(b"odd\x00name", b"1"),
    "headers by the thousand": lambda: good(1, *((b"h%d" % number, b"x") for number in range(5_000))),
    "the same header by the thousand": lambda: good(1, *((b"h", b"x") for number in range(5_000))),
    "more headers than the client counts": lambda: replace(good(1, *[(b"", b"")] * 100_001), why="SOURCE_NOT_OWNER"),
    "no headers": lambda: replace(good(), headers=[], why="SOURCE_NOT_OWNER"),
    "an id that is not text": lambda: with_header(b"ce_id", b"\xff", "UNDECODABLE"),
    "an id with a NUL": lambda: with_header(b"ce_id", b"\x00" * 36, "UNDECODABLE"),
    "an id of a megabyte": lambda: with_header(b"ce_id", b"1" * 800_000, "UNDECODABLE", cut=True),
    "a time without its zone": lambda: with_header(b"ce_time", b"2026-01-01T00:00:00", "UNDECODABLE"),
    "a time before all times": lambda: with_header(b"ce_time", b"0001-01-01T00:00:00+14:00", "UNDECODABLE"),
    "a type with a NUL": lambda: with_header(b"ce_type", b"a\x00b", "UNKNOWN_TYPE"),
    "a source with a NUL": lambda: with_header(b"ce_source", b"a\x00b", "SOURCE_NOT_OWNER"),
    "no key": lambda: replace(good(), key=None, why="UNDECODABLE"),
    "an empty key": lambda: with_key(b""),
    "a key that is not text": lambda: with_key(b"\xff\x00\xfe"),
    "a key of 6,000 random bytes": lambda: with_key(SOME.randbytes(6_000), cut=True),
    "a key of 6,000 random letters": lambda: of_key("".join(SOME.choices("abcdefghijklmnop", k=6_000)), cut=True),
    "a key with a NUL": lambda: of_key("b\x00"),
    "a value that is not protobuf": lambda: replace(good(), value=b"\xff" * 100, why="UNDECODABLE"),
    "a tombstone of a fact": lambda: replace(good(), value=None, why="UNDECODABLE"),
    "a value longer than any event": lambda: replace(
        good(), value=SOME.randbytes(MAX_PAYLOAD + 1), why="UNDECODABLE", cut=True
    ),
    "a time before 1970": lambda: replace(good(), time_ms=-5),
    "a time of ages ago": lambda: replace(good(), time_ms=-(2**62)),
}


def reading(bus: Bus, handler_: Handler[Any]) -> Any:  # noqa: ANN401
    """A consumer that runs, and may end only when it is told to."""
    return running(bus.consumer(handler_, "payouts").run)


async def handled(own: Handler[None], records: int) -> None:
    counts = own.counts
    await eventually(lambda: _true(counts.applied + counts.dead_lettered >= records))


@pytest.mark.parametrize("what", STRANGE)
async def test_one_strange_record_stops_nothing(payouts_database: Database, bus: Bus, what: str) -> None:
    strange, own = STRANGE[what](), handler(payouts_database)
    # A name of a header is read otherwise where the interpreter has seen some.
    around = [*(good(1) for _ in range(40)), strange, good(2)]
    async with reading(bus, own):
        with raw_producer(bus.brokers) as producer:
            for one in around:
                one.write(producer, bus.prefix + TOPIC)
        await handled(own, len(around))
    applied = [one for one in around if not one.why]
    seen = {key.encode() for (key,) in await rows(payouts_database, "SELECT key FROM seen")}
    assert seen == {one.key for one in applied}
    letters = await rows(payouts_database, 'SELECT reason, "offset", cut, octet_length(key) FROM dead_letter')
    assert [letter[:3] for letter in letters] == ([(strange.why, 40, strange.cut)] if strange.why else [])
    assert all(length <= 4 * LONGEST_KEY for *_, length in letters)
    told = await rows(payouts_database, "SELECT octet_length(payload), octet_length(headers::text) FROM outbox")
    assert all((value or 0) <= MAX_PAYLOAD and headers < 64_000 for value, headers in told)


async def test_a_batch_that_cannot_be_unpacked_is_one_letter_and_stepped_over(
    payouts_database: Database, bus: Bus
) -> None:
    own = handler(payouts_database)
    before, after = good(1), good(2)
    with raw_producer(bus.brokers) as producer:
        before.write(producer, bus.prefix + TOPIC)
    # Some kilobytes on the wire, forty million bytes unpacked: more than the client may unpack.
    with raw_producer(bus.brokers, **ONE_BATCH) as producer:
        for size in (40_000_000, 1, 1):
            replace(good(), value=b"\0" * size).write(producer, bus.prefix + TOPIC)
    with raw_producer(bus.brokers) as producer:
        after.write(producer, bus.prefix + TOPIC)
    async with reading(bus, own):
        await eventually(lambda: _true(own.counts.applied == 2))
    assert await rows(payouts_database, "SELECT number FROM seen ORDER BY place") == [(1,), (2,)]
    letters = await rows(payouts_database, 'SELECT reason, "offset", cut, payload FROM dead_letter')
    assert letters == [("UNREADABLE", 1, True, None)]


async def test_a_transaction_that_somebody_leaves_open_holds_nothing(payouts_database: Database, bus: Bus) -> None:
    own, after = handler(payouts_database), good(2)
    stranger = Producer({**client_settings(bus.brokers), "transactional.id": bus.prefix + "stranger"})
    await asyncio.to_thread(stranger.init_transactions, 30)
    stranger.begin_transaction()
    stranger.produce(bus.prefix + TOPIC, b"open", b"open", partition=0)
    stranger.flush(20)
    with raw_producer(bus.brokers) as producer:
        after.write(producer, bus.prefix + TOPIC)
    async with reading(bus, own):
        await handled(own, 2)
    assert await rows(payouts_database, "SELECT number FROM seen") == [(2,)]
    await asyncio.to_thread(stranger.abort_transaction, 30)


async def test_a_flood_of_poison_delays_what_is_behind_it_and_does_not_stop_it(
    payouts_database: Database, bus: Bus
) -> None:
    own = handler(payouts_database)
    with raw_producer(bus.brokers) as producer:
        for number in range(600):
            garbage = replace(good(), value=SOME.randbytes(number % 50))
            garbage.write(producer, bus.prefix + TOPIC)
        good(1).write(producer, bus.prefix + TOPIC)
    async with reading(bus, own):
        await handled(own, 601)
    assert await rows(payouts_database, "SELECT count(*) FROM dead_letter") == [(600,)]
    assert await rows(payouts_database, "SELECT number FROM seen") == [(1,)]
    assert not own.breaker.open


@dataclass
class Heard:
    """What a broadcast hands on."""

    ids: list[str] = field(default_factory=list)

    def take(self, revoked: Revoked) -> None:
        self.ids.append(revoked.revoked_id)


async def test_a_broadcast_reads_on_past_whatever_lies_in_its_topic(bus: Bus) -> None:
    await bus.create("identity")
    topic, heard = bus.prefix + event_type(Revoked).topic, Heard()
    first, last = (record(revoked()) for _ in range(2))
    with raw_producer(bus.brokers) as producer:
        for state in (first, last):
            named: Headers = [(name.encode(), value) for name, value in state.headers]
            producer.write(topic, state.value, state.key, named, partition=0)
            if state is first:
                for headers in strange_headers(named):
                    producer.write(topic, state.value, state.key, headers, partition=0)
                producer.flush()
                with raw_producer(bus.brokers, **ONE_BATCH) as bomber:
                    bomber.write(topic, b"\0" * 40_000_000, state.key, named, partition=0)
    reader = Broadcast(bus.brokers, Revoked, heard.take, topic_prefix=bus.prefix)
    async with running(reader.run):
        await eventually(lambda: _true(reader.caught_up.is_set()))
    ids = [(state.key or b"").decode() for state in (first, last)]
    # A trace that is none takes nothing from the state that it comes with.
    assert heard.ids == [ids[0], ids[0], ids[1]]


def strange_headers(right: Headers) -> Sequence[Headers]:
    return [
        [*right, (b"\xff\xfe", b"1")],
        [*right, (b"traceparent", b"\xff\xfe")],
        [*right, (b"ce_id", b"\xff")],
        [*right, *[(b"", b"")] * 100_001],
        [],
    ]


async def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    async with database.transaction(Scope.service()) as tx:
        return [tuple(row) for row in await tx.fetch(sql)]


async def _true(condition: bool) -> bool:
    return condition
