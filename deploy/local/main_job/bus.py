"""What travelled over the bus during a run: how many events, how many of them twice, how many to the dead letters."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, Message, TopicPartition

from chassis.bus.brokers import Brokers, client_settings
from chassis.bus.topics import dead_letters
from chassis.contract.events import catalogue

_SECONDS = 10.0
Ends = Mapping[tuple[str, int], int]
"""(topic, partition) -> the offset after its last record."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Records on the bus. A repeat of an event is its id seen again."""

    published: int
    duplicated: int
    dead_letters: int


async def ends(brokers: Brokers, prefix: str) -> Ends:
    """Where every topic of the catalogue ends now, the dead letters among them."""
    return await asyncio.to_thread(_ends, brokers, prefix)


async def traffic(brokers: Brokers, since: Ends, prefix: str) -> Traffic:
    """What came since."""
    return await asyncio.to_thread(_traffic, brokers, since, prefix)


def _topics(prefix: str) -> list[str]:
    names = sorted({type_.topic for type_ in catalogue().values()})
    return [prefix + name for name in (*names, *map(dead_letters, names))]


def _consumer(brokers: Brokers) -> Consumer:
    return Consumer({**client_settings(brokers), "group.id": "counts", "enable.auto.commit": False})


def _ends(brokers: Brokers, prefix: str) -> Ends:
    consumer = _consumer(brokers)
    try:
        known = consumer.list_topics(timeout=_SECONDS).topics
        places = [TopicPartition(topic, number) for topic in _topics(prefix) for number in known[topic].partitions]
        return {(p.topic, p.partition): consumer.get_watermark_offsets(p, _SECONDS)[1] for p in places}
    finally:
        consumer.close()


def _traffic(brokers: Brokers, since: Ends, prefix: str) -> Traffic:
    until = _ends(brokers, prefix)
    buried = {place: end for place, end in until.items() if place[0].endswith(dead_letters(""))}
    dead = sum(end - since[place] for place, end in buried.items())
    ids = _ids(brokers, since, {place: end for place, end in until.items() if place not in buried})
    return Traffic(len(ids), len(ids) - len(set(ids)), dead)


def _ids(brokers: Brokers, since: Ends, until: Ends) -> list[bytes]:
    """The id of every record between two ends. Gaps that compaction left are passed over by position."""
    consumer = _consumer(brokers)
    ids: list[bytes] = []
    unread = {place for place, end in until.items() if end > since[place]}
    try:
        consumer.assign([TopicPartition(topic, number, since[topic, number]) for topic, number in unread])
        while unread:
            messages = [message for message in consumer.consume(500, 0.2) if message.error() is None]
            ids += [_id(message) for message in messages if (message.offset() or 0) < until[_place(message)]]
            at = consumer.position([TopicPartition(topic, number) for topic, number in unread])
            unread -= {(p.topic, p.partition) for p in at if p.offset >= until[p.topic, p.partition]}
        return ids
    finally:
        consumer.close()


def _place(message: Message) -> tuple[str, int]:
    return message.topic() or "", message.partition() or 0


def _id(message: Message) -> bytes:
    """The event's id; a record that has none counts as one of its own kind."""
    headers = dict(message.headers() or [])
    found = headers.get("ce_id")
    return found if isinstance(found, bytes) else repr((_place(message), message.offset())).encode()
