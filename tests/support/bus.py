"""A part of a shared Kafka for one test, and ways to write to it, read it and run on it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar, cast
from uuid import UUID

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import Producer, TopicPartition
from confluent_kafka._types import HeadersType
from confluent_kafka.admin import AdminClient
from google.protobuf.message import Message

from chassis import tracing
from chassis.bus import topics
from chassis.bus.brokers import Brokers, client_settings
from chassis.bus.consumer import Consumer, consumer_settings
from chassis.bus.envelope import HeaderWriter
from chassis.bus.handler import Handler
from chassis.bus.intake import RawHeaders, Record
from chassis.bus.publisher import KafkaPublisher, producer_settings
from chassis.bus.relay import Relay
from chassis.contract.events import catalogue, event_type
from chassis.db import Database
from chassis.ids import new_id

C = TypeVar("C")
PARTITIONS = 4


@dataclass(frozen=True)
class Bus:
    """A broker and the prefix that keeps this test's topics and groups apart."""

    brokers: Brokers
    prefix: str

    async def create(self, *owners: str) -> None:
        """Makes the topics of services, with their dead letters."""
        types = [type_ for type_ in catalogue().values() if type_.owner in owners]
        await topics.ensure(self.brokers, topics.topics_of(types), prefix=self.prefix, partitions=PARTITIONS)

    def publisher(self) -> KafkaPublisher:
        """A publisher as a relay uses it."""
        return KafkaPublisher(producer_settings(self.brokers), self.prefix)

    def consumer(self, handler: Handler[C], group: str, **options: int) -> Consumer[C]:
        """A consumer of this test's topics."""
        settings = consumer_settings(self.brokers, self.prefix + group)
        return Consumer(handler, settings, topic_prefix=self.prefix, **options)

    async def write(self, *records: Record) -> None:
        """Writes records as they are, whatever is wrong with them; partition and offset are Kafka's to choose."""
        await asyncio.to_thread(self._write, records)

    async def read(self, topic: str) -> list[Record]:
        """All records of a topic now, by partition and offset."""
        return await asyncio.to_thread(self._read, topic)

    async def drop(self) -> None:
        """Drops this test's topics."""
        await asyncio.to_thread(self._drop)

    def _write(self, records: Iterable[Record]) -> None:
        producer = Producer(producer_settings(self.brokers))
        for record in records:
            headers = cast(HeadersType, list(record.headers))
            producer.produce(self.prefix + record.topic, record.value, record.key, headers=headers)
        assert producer.flush(120) == 0

    def _read(self, topic: str) -> list[Record]:
        name = self.prefix + topic
        settings = {**client_settings(self.brokers), "group.id": "none", "enable.auto.commit": False}
        consumer = KafkaConsumer(settings)
        try:
            partitions = consumer.list_topics(name, 60).topics[name].partitions
            ends = {
                number: consumer.get_watermark_offsets(TopicPartition(name, number), 60)[1] for number in partitions
            }
            consumer.assign([TopicPartition(name, number, 0) for number in partitions])
            records: list[Record] = []
            while missing := sum(ends.values()) - len(records):
                for message in consumer.consume(min(missing, 1000), 1.0):
                    assert message.error() is None
                    place = (message.partition() or 0, message.offset() or 0)
                    headers = cast(RawHeaders, message.headers() or [])
                    records.append(Record(topic, *place, message.key(), message.value(), headers))
            return sorted(records, key=lambda record: (record.partition, record.offset))
        finally:
            consumer.close()

    def _drop(self) -> None:
        admin = AdminClient(client_settings(self.brokers))
        names = [name for name in admin.list_topics(timeout=60).topics if name.startswith(self.prefix)]
        if names:
            for result in admin.delete_topics(names).values():
                result.result()


def record(event: Message, *, offset: int = 0, event_id: UUID | None = None, **headers: str | None) -> Record:
    """The record of an event as its owner writes it; `headers` replace some of its headers, `None` leaves one out."""
    type_ = event_type(event)
    key = getattr(event, type_.key_field)
    right = json.loads(HeaderWriter(type_.name, type_.owner).write(event_id or new_id(), key, tracing.header()))
    wrong: Mapping[str, str | None] = {**right, **headers}
    pairs = [(name, value.encode()) for name, value in wrong.items() if value is not None]
    return Record(type_.topic, 0, offset, key.encode(), event.SerializeToString(), pairs)


@asynccontextmanager
async def relaying(database: Database, bus: Bus) -> AsyncIterator[Relay]:
    """A relay that runs beside the test."""
    publisher = bus.publisher()
    relay = Relay(database, publisher.publish)
    database.on_commit_with_events = relay.wake
    async with running(relay.run):
        yield relay
    await publisher.close()


@asynccontextmanager
async def running(*parts: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Runs parts beside the test and stops them as a service does."""
    stop = asyncio.Event()
    tasks = [asyncio.ensure_future(part(stop)) for part in parts]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(asyncio.gather(*tasks), 120)


async def eventually(condition: Callable[[], Awaitable[bool]], within: float = 120.0) -> None:
    """Returns when a condition comes true; fails if it does not in so many seconds."""
    async with asyncio.timeout(within):
        while not await condition():  # noqa: ASYNC110 what is waited for lies in a server
            await asyncio.sleep(0.02)
