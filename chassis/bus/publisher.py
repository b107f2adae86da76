"""Batches of outbox rows into Kafka, with a delivery report checked for every one of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import orjson
import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from chassis.bus.brokers import Brokers, Settings, client_settings
from chassis.bus.client_log import kafka_log
from chassis.errors import Unavailable

_log = structlog.get_logger(__name__)

LARGEST_DEAD_LETTER = 2 * 1024 * 1024
"""Bytes. A dead letter is whatever came, as large as a broker takes it, and more headers. Events are smaller."""

# A flush gives up well before a message may time out by itself. Were one message of a key to time out and the next to
# go through, the key's order would break; purging all that is left at once leaves no such gap.
_FLUSH_SECONDS = 20.0
_DELIVERY_TIMEOUT_MS = 60_000
_PURGE_SECONDS = 5.0
_NO_REPORT = "no delivery report"
# A new producer gets its id, without which it sends nothing, half a second after it has found a broker.
_PRODUCER_ID_SECONDS = 0.6


class BusUnavailable(Unavailable):
    """Kafka does not answer for the moment: try again."""

    reason = "BUS_UNAVAILABLE"


class Waiting(NamedTuple):
    """A row of the outbox as the relay reads it; `headers` is a JSON object of strings."""

    lane: int
    id: int
    topic: str
    key: str
    payload: bytes | None
    headers: str


def producer_settings(brokers: Brokers, more: Mapping[str, str | int | float | bool] | None = None) -> Settings:
    """What a producer needs here. librdkafka's own defaults would let a retried batch overtake the next one."""
    return {
        **client_settings(brokers),
        "enable.idempotence": True,
        "enable.gapless.guarantee": True,
        "acks": "all",
        # The same partition for the same key as Java clients choose.
        "partitioner": "murmur2_random",
        "message.max.bytes": LARGEST_DEAD_LETTER,
        "compression.type": "lz4",
        "delivery.timeout.ms": _DELIVERY_TIMEOUT_MS,
        "linger.ms": 1,
        "socket.nagle.disable": True,
        **(more or {}),
    }


class KafkaPublisher:
    """Producers that never leave a gap: after any failure one is purged and a new one takes its place.

    Each batch has a producer to itself, so that none waits for another's messages: there are as many as batches were
    ever published at the same time.
    """

    def __init__(self, settings: Settings, topic_prefix: str = "") -> None:
        """Takes what `producer_settings` returns and what to put before the topics' names."""
        self._settings = settings
        self._prefix = topic_prefix
        self._free = [self._new()]

    async def warm_up(self, topics: Sequence[str]) -> None:
        """Connects and gets the topics' leaders, so that the first event does not wait for it.

        Raises `BusUnavailable`.
        """
        try:
            for topic in topics:
                await asyncio.to_thread(self._free[0].list_topics, self._prefix + topic, 10.0)
            await asyncio.sleep(_PRODUCER_ID_SECONDS)
        except KafkaException as error:
            self._free[0].poll(0)  # only then it tells what went wrong
            raise BusUnavailable from error

    async def publish(self, rows: Sequence[Waiting]) -> dict[int, str]:
        """Publishes rows in their order; returns the place and the fault of each that is not known to be in Kafka."""
        return await asyncio.to_thread(self._publish, rows)

    async def close(self) -> None:
        """Gives the producers up; nothing is waiting in them between two calls of `publish`."""
        for producer in self._free:
            await asyncio.to_thread(_discard, producer)

    def _new(self) -> Producer:
        return Producer({**self._settings, "error_cb": _report_error}, logger=kafka_log)

    def _publish(self, rows: Sequence[Waiting]) -> dict[int, str]:
        producer = self._take()
        reports: list[str | None] = [_NO_REPORT] * len(rows)
        self._enqueue(producer, rows, reports)
        producer.flush(_FLUSH_SECONDS)
        faults = {place: fault for place, fault in enumerate(reports) if fault}
        if faults:
            _discard(producer)
            producer = self._new()
        self._free.append(producer)
        return faults

    def _take(self) -> Producer:
        """One that nobody uses: the last used, which is connected."""
        try:
            return self._free.pop()
        except IndexError:
            return self._new()

    def _enqueue(self, producer: Producer, rows: Sequence[Waiting], reports: list[str | None]) -> None:
        """Hands rows to the producer, up to the first that it refuses."""
        for place, row in enumerate(rows):
            try:
                producer.produce(
                    self._prefix + row.topic,
                    row.payload,
                    row.key,
                    on_delivery=partial(_settle, reports, place),
                    headers=orjson.loads(row.headers),
                )
            except (BufferError, KafkaException) as error:
                reports[place] = str(error)
                return


def _discard(producer: Producer) -> None:
    """Drops what is queued or in flight. It may still arrive: as duplicates, in order, which the inbox drops."""
    producer.purge()
    producer.flush(_PURGE_SECONDS)


def _settle(reports: list[str | None], place: int, error: KafkaError | None, _: Message) -> None:
    reports[place] = error.str() if error else None


def _report_error(error: KafkaError) -> None:
    _log.warning("kafka", code=error.name(), fatal=error.fatal())
