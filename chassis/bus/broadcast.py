"""A broadcast: a state topic that a process reads whole, from its start and for ever, by itself and into memory.

There is no group: every process gets every record. Nothing is stored, so a new start reads all of it again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar, cast

import confluent_kafka as kafka
import structlog
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from google.protobuf.message import Message

from chassis.bus.brokers import Brokers
from chassis.bus.client_log import kafka_log
from chassis.bus.consumer import consumer_settings
from chassis.bus.intake import Intake
from chassis.bus.wire import StepOver, record_of, unreadable
from chassis.contract.events import event_type
from chassis.waiting import Backoff, pause

M = TypeVar("M", bound=Message)
_log = structlog.get_logger(__name__)

GROUP = "broadcast"
"""The group, behind the prefix, that readers name to Kafka. Nobody is in it."""

_LOOK_SECONDS = 0.1
_METADATA_SECONDS = 5.0


class Broadcast(Generic[M]):
    """Reads all states of one type and hands each on. A record that is no such state is left out, and logged."""

    def __init__(self, brokers: Brokers, state: type[M], take: Callable[[M], None], *, topic_prefix: str = "") -> None:
        """`take` is called in the loop that `run` runs in; it must be quick, and may raise `ValueError`."""
        type_ = event_type(state)
        self._topic = type_.topic
        self._name = topic_prefix + type_.topic
        self._take = take
        self._intake = Intake({type_.name: type_}, {type_.name})
        # The client wants a group, whose coordinator it looks up; it joins none, and commits nothing.
        settings = {**consumer_settings(brokers, topic_prefix + GROUP), "group.protocol": "classic"}
        self._settings = {**settings, "enable.partition.eof": True}
        self.caught_up = asyncio.Event()
        """Set once everything that lay in the topic at the start has been handed on."""

    async def run(self, stop: asyncio.Event) -> None:
        """Reads until `stop` is set. A bus that is away is waited for."""
        trouble = Backoff(0.2, 5.0)
        while not stop.is_set():
            client = kafka.Consumer(self._settings, logger=kafka_log)
            try:
                behind = await asyncio.to_thread(self._assign, client)
                await self._read(client, behind, stop)
            except KafkaException as error:
                code, attempts = error.args[0].name(), trouble.attempts + 1
                _log.warning("broadcast held", topic=self._topic, code=code, attempts=attempts)
                await pause(trouble.next(), stop)
            finally:
                await asyncio.to_thread(client.close)

    def _assign(self, client: kafka.Consumer) -> set[int]:
        """Takes all partitions from their beginning. Raises `KafkaException` if the topic cannot be seen."""
        try:
            found = client.list_topics(self._name, _METADATA_SECONDS).topics[self._name]
        finally:
            client.poll(0)  # only then it tells what went wrong
        if found.error is not None:
            raise KafkaException(found.error)
        client.assign([TopicPartition(self._name, number, kafka.OFFSET_BEGINNING) for number in found.partitions])
        return set(found.partitions)

    async def _read(self, client: kafka.Consumer, behind: set[int], stop: asyncio.Event) -> None:
        over = StepOver()
        while not stop.is_set():
            if bad := self._handle(await asyncio.to_thread(client.consume, 500, _LOOK_SECONDS), behind):
                over.step(client, bad)
            if not behind and not self.caught_up.is_set():
                _log.info("broadcast caught up", topic=self._topic)
                self.caught_up.set()

    def _handle(self, messages: Iterable[kafka.Message], behind: set[int]) -> list[kafka.Message]:
        """Hands states on; returns what stands for records that the client cannot read."""
        bad = []
        for message in messages:
            if (error := message.error()) is None:
                self._hand_on(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                behind.discard(message.partition() or 0)
            elif unreadable(error):
                self._left_out(message, error.name())
                bad.append(message)
            else:
                _log.warning("kafka", topic=self._topic, code=error.name(), fatal=error.fatal())
                if error.fatal():
                    raise KafkaException(error)
        return bad

    def _hand_on(self, message: kafka.Message) -> None:
        """Whatever a record is, it must not end the reading: then nobody would be told what else is revoked."""
        try:
            received = self._intake.read(record_of(message, self._topic))
            if received is not None:
                self._take(cast(M, received.event.message))
        except Exception as error:
            self._left_out(message, type(error).__name__)

    def _left_out(self, message: kafka.Message, error: str) -> None:
        place = {"partition": message.partition(), "offset": message.offset()}
        _log.warning("broadcast record left out", topic=self._topic, error=error, **place)
