"""Delivers every event twice: reads all topics and writes each event once more, marked as its own work.

What it has seen is also the record of what was in Kafka when, from which the places of kills are told.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka._types import HeadersType

from chassis.bus.brokers import Brokers, client_settings
from chassis.bus.intake import RawHeaders
from chassis.bus.publisher import producer_settings
from chassis.contract.events import catalogue

_MARK = ("echo", b"1")


@dataclass(frozen=True)
class Seen:
    """An event in Kafka; `at` is when it was handed to its producer, in seconds since 1970."""

    topic: str
    partition: int
    offset: int
    event_id: str
    at: float


@dataclass
class Echo:
    """The echo of one platform's events."""

    brokers: Brokers
    prefix: str
    originals: list[Seen] = field(default_factory=list)
    """What the platform wrote, also where it wrote an event again."""
    repeats: Counter[str] = field(default_factory=Counter)
    """Event id -> how often we delivered it again."""
    _stop: threading.Event = field(default_factory=threading.Event)
    _caught_up_at: float = 0.0

    @contextmanager
    def sounding(self) -> Iterator[None]:
        """Echoes while the body runs."""
        thread = threading.Thread(target=self._run, name="echo", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join(30)

    def every_event_twice(self) -> bool:
        """Whether all that was seen was delivered again, and nothing new came for a second."""
        return self._quiet_for() > 1.0 and all(self.repeats[seen.event_id] for seen in self.originals)

    def _quiet_for(self) -> float:
        return time.monotonic() - self._caught_up_at

    def _run(self) -> None:
        self._caught_up_at = time.monotonic()
        settings = client_settings(self.brokers)
        consumer = Consumer({**settings, "group.id": "echo", "enable.auto.commit": False, "fetch.wait.max.ms": 100})
        producer = Producer(producer_settings(self.brokers))
        try:
            consumer.assign(self._places(consumer))
            while not self._stop.is_set():
                for message in consumer.consume(200, 0.1):
                    self._take(producer, message)
                producer.poll(0)
        finally:
            producer.flush(5)
            consumer.close()

    def _places(self, consumer: Consumer) -> list[TopicPartition]:
        topics = {type_.topic for type_ in catalogue().values()}
        return [
            TopicPartition(self.prefix + topic, number, 0)
            for topic in sorted(topics)
            for number in consumer.list_topics(self.prefix + topic, 20).topics[self.prefix + topic].partitions
        ]

    def _take(self, producer: Producer, message: Message) -> None:
        headers = cast(RawHeaders, message.headers() or [])
        if message.error() is not None or _MARK in headers:
            return
        self._caught_up_at = time.monotonic()
        event_id = (dict(headers).get("ce_id") or b"").decode()
        place = (message.topic() or "")[len(self.prefix) :], message.partition() or 0, message.offset() or 0
        self.originals.append(Seen(*place, event_id, message.timestamp()[1] / 1000))
        self._again(producer, message, event_id)

    def _again(self, producer: Producer, message: Message, event_id: str) -> None:
        headers = cast(HeadersType, [*cast(RawHeaders, message.headers() or []), _MARK])

        def settled(error: KafkaError | None, _: Message) -> None:
            if error is None:
                self.repeats[event_id] += 1
            elif not self._stop.is_set():
                self._again(producer, message, event_id)

        topic, partition = message.topic() or "", message.partition() or 0
        producer.produce(topic, message.value(), message.key(), partition, on_delivery=settled, headers=headers)
