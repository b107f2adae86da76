"""The consumer: records out of Kafka in batches, each batch handled and committed before the next is asked for.

Rebalances are served only inside the client's poll and consume, and these are called only when nothing is in hand. So a
batch is finished, and its offsets are committed, before a partition of it can be given away. The exception is a batch
that is held because of an error: there the client must be polled to stay in the group, and what is given away meanwhile
is dropped from the batch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Generic, TypeVar

import confluent_kafka as kafka
import structlog
from confluent_kafka import KafkaException, Message, TopicPartition

from chassis.bus.brokers import Brokers, Settings, client_settings
from chassis.bus.client_log import kafka_log
from chassis.bus.handler import Handler, Reaction
from chassis.bus.intake import Record
from chassis.bus.lag import TimeLag
from chassis.bus.publisher import BusUnavailable
from chassis.bus.wire import StepOver, record_of, unreadable
from chassis.errors import ServiceError
from chassis.telemetry.metrics import (
    BATCH_RECORDS,
    BATCH_SECONDS,
    BREAKER_OPEN,
    CONSUMER_BEHIND,
    CONSUMER_HELD,
    CONSUMER_PARTITIONS,
)
from chassis.waiting import Backoff

__all__ = ["Consumer", "Reaction", "consumer_settings"]

C = TypeVar("C")
R = TypeVar("R")
_log = structlog.get_logger(__name__)

_POLL_SECONDS = 0.25
# How long the first record of a batch waits for others: as long as the batch before it took, between these. A
# transaction costs much more than an event in it: where processor is scarce, larger batches get through more.
_GATHER_SECONDS = (0.005, 0.050)
# Between two commits of offsets: each is a write at the broker. What a crash repeats meanwhile, the inbox drops.
_COMMIT_SECONDS = 0.25
_MEASURE_SECONDS = 1.0
_HOLD_POLL_SECONDS = 1.0
_LONGEST_HOLD = 5.0
# Of a fetch. Twice as much is the most that the client makes of what came compressed by zstd.
_FETCH_BYTES = 16 * 1024 * 1024

Partition = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Held:
    """Since when, and why, a consumer holds on instead of consuming."""

    since: datetime
    reason: str


def consumer_settings(
    brokers: Brokers, group: str, more: Mapping[str, str | int | float | bool] | None = None
) -> Settings:
    """What a consumer needs here: the broker-side group protocol, offsets committed by us alone, small buffers.

    The topics must exist before a consumer of the new protocol subscribes.
    """
    return {
        **client_settings(brokers),
        "group.id": group,
        "group.protocol": "consumer",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        # Nothing here is written in transactions: else one that somebody leaves open would hold all records behind it.
        "isolation.level": "read_uncommitted",
        "fetch.wait.max.ms": 100,
        "queued.min.messages": 10_000,
        "queued.max.messages.kbytes": 16_384,
        "fetch.max.bytes": _FETCH_BYTES,
        "receive.message.max.bytes": 2 * _FETCH_BYTES,
        "fetch.error.backoff.ms": 50,
        "fetch.queue.backoff.ms": 50,
        **(more or {}),
    }


class Consumer(Generic[C]):
    """Feeds one service's handler until it is told to stop."""

    def __init__(self, handler: Handler[C], settings: Settings, *, topic_prefix: str = "", batch: int = 500) -> None:
        """Takes what `consumer_settings` returns; the group in it should carry the topics' prefix too."""
        self._handler = handler
        self._prefix = topic_prefix
        self._batch = batch
        # One thread, so that the client is used by one at a time, also at a cancellation.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="kafka-consumer")
        self._client = kafka.Consumer({**settings, "on_commit": self._on_commit}, logger=kafka_log)
        self._finished: dict[Partition, int] = {}
        self._uncommitted = False
        self._committed_at = 0.0
        self._gather = _GATHER_SECONDS[0]
        self._lost: set[Partition] = set()
        self._over = StepOver()
        self._time_lag = TimeLag(handler.topics)
        self._measured_at = 0.0
        self.assigned = False
        """Whether the group has given this consumer partitions: a condition of readiness."""
        self.held: Held | None = None
        """What keeps it from consuming, if anything."""

    async def run(self, stop: asyncio.Event) -> None:
        """Consumes until `stop` is set; the batch in hand is finished and committed.

        Raises `BusUnavailable` if the client has failed for good.
        """
        try:
            await self._in_thread(self._subscribe)
            while not stop.is_set():
                if batch := await self._in_thread(self._fetch):
                    start = time.monotonic()
                    self._time_lag.took(batch)
                    await self._finish(batch, stop)
                    took = time.monotonic() - start
                    least, most = _GATHER_SECONDS
                    self._gather = min(max(least, took), most)
                    BATCH_SECONDS.observe(took)
                    BATCH_RECORDS.observe(len(batch))
        finally:
            await self._in_thread(self._close)
            self._thread.shutdown(wait=False)

    async def lag(self) -> int:
        """Records in the assigned partitions that are not handled yet, as of the last fetch."""
        return await self._in_thread(self._lag)

    async def _finish(self, batch: Sequence[Record], stop: asyncio.Event) -> None:
        """Handles a batch to its end, through passing errors, unless it is stopped or loses the partitions."""
        trouble = Backoff(0.1, _LONGEST_HOLD)
        while batch:
            handled = await self._handler.handle(batch)
            self._note(batch[: handled.done])
            self._time_lag.did(batch[: handled.done])
            batch = batch[handled.done :]
            if handled.error:
                if handled.done:
                    trouble.reset()
                self._time_lag.took(batch)
                self.held = Held(self.held.since if self.held else datetime.now(UTC), _reason(handled.error))
                batch = await self._hold(batch, handled.error, trouble, stop)
                if stop.is_set():
                    return
        self.held = None

    async def _hold(
        self, batch: Sequence[Record], error: Exception, trouble: Backoff, stop: asyncio.Event
    ) -> Sequence[Record]:
        """Waits, in the group but paused; returns the batch without what was given away, with what came anew."""
        seconds = trouble.next()
        _log.warning("consumer held", error=_reason(error), attempts=trouble.attempts, seconds=round(seconds, 2))
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while not stop.is_set() and (left := until - loop.time()) > 0:
            batch = await self._in_thread(partial(self._poll_paused, batch, left))
        await self._in_thread(lambda: self._client.resume(self._client.assignment()))
        return batch

    async def _in_thread(self, call: Callable[[], R]) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call)

    def _subscribe(self) -> None:
        topics = [self._prefix + topic for topic in self._handler.topics]
        self._client.subscribe(topics, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost)

    def _fetch(self) -> list[Record]:
        """A batch: waits for the first record, then a moment for others. `consume` alone would wait for all."""
        self._commit_when_due()
        self._measure_when_due()
        first = self._client.poll(_POLL_SECONDS)
        if first is None:
            self._time_lag.took([])
            self._commit_finished()
            return []
        return self._kept(self._records([first, *self._client.consume(self._batch - 1, self._gather)]))

    def _poll_paused(self, held: Sequence[Record], seconds: float) -> list[Record]:
        """Keeps the membership alive; a partition that came new may give a record before it is paused as well."""
        self._commit_when_due()
        self._measure_when_due(len(held))
        self._client.pause(self._client.assignment())
        message = self._client.poll(min(seconds, _HOLD_POLL_SECONDS))
        return self._kept([*held, *self._records([message] if message else [])])

    def _kept(self, records: list[Record]) -> list[Record]:
        """The records whose partitions are still ours."""
        lost, self._lost = self._lost, set()
        return [record for record in records if (record.topic, record.partition) not in lost] if lost else records

    def _records(self, messages: Sequence[Message]) -> list[Record]:
        found = [message for message in messages if _is_record(message)]
        if bad := [message for message in found if message.error()]:
            self._over.step(self._client, bad)
        return [record_of(message, (message.topic() or "")[len(self._prefix) :]) for message in found]

    def _note(self, done: Sequence[Record]) -> None:
        """Notes what is done, for the next call in the thread, which commits it."""
        self._finished.update({(record.topic, record.partition): record.offset + 1 for record in done})
        self._uncommitted = self._uncommitted or bool(done)

    def _commit_when_due(self) -> None:
        """Commits what is done when the last commit is some time ago."""
        if time.monotonic() - self._committed_at >= _COMMIT_SECONDS:
            self._commit_finished()

    def _measure_when_due(self, in_hand: int = 0) -> None:
        """Tells how the consumer is, when that was told some time ago. Nothing is being handled at this moment."""
        if time.monotonic() - self._measured_at >= _MEASURE_SECONDS:
            self._measured_at = time.monotonic()
            CONSUMER_PARTITIONS.set(len(self._client.assignment()))
            CONSUMER_BEHIND.set(self._lag() + in_hand)
            CONSUMER_HELD.set(self.held is not None)
            BREAKER_OPEN.set(self._handler.breaker.open)

    def _commit_finished(self) -> None:
        """Commits without waiting, if there is anything new: what a crash loses of it, the inbox drops."""
        if self._uncommitted and self._finished:
            self._client.commit(offsets=self._positions(self._finished), asynchronous=True)
            self._committed_at = time.monotonic()
        self._uncommitted = False

    def _on_commit(self, error: kafka.KafkaError | None, _: list[TopicPartition]) -> None:
        """Has a failed commit made again: where nothing comes any more, no later one would make up for it."""
        if error is not None:
            _log.info("offsets not committed", code=error.name())
            self._uncommitted = True

    def _positions(self, offsets: Mapping[Partition, int]) -> list[TopicPartition]:
        return [TopicPartition(self._prefix + topic, number, at) for (topic, number), at in offsets.items()]

    def _lag(self) -> int:
        total = 0
        for place in self._client.position(self._client.assignment()):
            _, high = self._client.get_watermark_offsets(place, cached=True)
            # What was stepped over is done, though the client has handed nothing over.
            at = max(place.offset, self._finished.get((place.topic[len(self._prefix) :], place.partition), -1))
            total += max(0, high - at) if high >= 0 and at >= 0 else 0
        return total

    def _on_assign(self, _: kafka.Consumer, partitions: list[TopicPartition]) -> None:
        self._lost -= self._names(partitions)
        self.assigned = True
        _log.info("partitions assigned", count=len(partitions))

    def _on_revoke(self, client: kafka.Consumer, partitions: list[TopicPartition]) -> None:
        """Waits for the commit of what is done, so that the next owner repeats nothing."""
        revoked = self._names(partitions)
        done = {place: self._finished.pop(place) for place in revoked & self._finished.keys()}
        self._lost |= revoked
        _log.info("partitions revoked", count=len(partitions))
        if done:
            _commit_now(client, self._positions(done))

    def _on_lost(self, _: kafka.Consumer, partitions: list[TopicPartition]) -> None:
        lost = self._names(partitions)
        self._finished = {place: offset for place, offset in self._finished.items() if place not in lost}
        self._lost |= lost
        _log.warning("partitions lost", count=len(partitions))

    def _names(self, partitions: Sequence[TopicPartition]) -> set[Partition]:
        return {(place.topic[len(self._prefix) :], place.partition) for place in partitions}

    def _close(self) -> None:
        if self._finished:
            _commit_now(self._client, self._positions(self._finished))
            self._finished.clear()
        self._client.close()


def _commit_now(client: kafka.Consumer, offsets: list[TopicPartition]) -> None:
    try:
        client.commit(offsets=offsets, asynchronous=False)
    except KafkaException as error:
        _log.info("offsets not committed, events will repeat", error=str(error))


def _reason(error: Exception) -> str:
    return error.reason if isinstance(error, ServiceError) else type(error).__name__


def _is_record(message: Message) -> bool:
    """Whether it stands for a record, one that cannot be read among them, and is not other news from the client.

    Raises `BusUnavailable` if the news is its end.
    """
    if (error := message.error()) is None or unreadable(error):
        return True
    _log.warning("kafka", code=error.name(), fatal=error.fatal())
    if error.fatal():
        raise BusUnavailable(code=error.name())
    return False
