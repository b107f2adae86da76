"""From a transaction in one service to a row in another's database, over a real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, TopicPartition
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus.brokers import client_settings
from chassis.bus.consumer import Consumer, consumer_settings
from chassis.bus.envelope import Event
from chassis.db import Database, Scope, Transaction
from chassis.errors import Unavailable
from tests.support.bus import PARTITIONS, Bus, eventually, record, relaying, running
from tests.support.reactions import completed, handler, see


async def seen(database: Database) -> list[tuple[str, int]]:
    async with database.transaction(Scope.service()) as tx:
        return [tuple(row) for row in await tx.fetch("SELECT key, number FROM seen ORDER BY key, place")]


async def test_what_is_committed_here_is_applied_there_in_the_order_of_each_key(
    tasking_database: Database, payouts_database: Database, bus: Bus
) -> None:
    told = [(f"b{key:02}", number) for key in range(20) for number in range(10)]
    consumer = bus.consumer(handler(payouts_database), "payouts", batch=50)
    async with relaying(tasking_database, bus), running(consumer.run):
        for number in range(10):
            async with tasking_database.transaction(Scope.service()) as tx:
                tx.emit(*(completed(key, at) for key, at in told if at == number))
        await eventually(lambda: has(payouts_database, len(told)))
        await eventually(lambda: nothing_left(consumer))
    assert await seen(payouts_database) == told


async def has(database: Database, number: int) -> bool:
    return len(await seen(database)) >= number


async def nothing_left(consumer: Consumer[None]) -> bool:
    return await consumer.lag() == 0


async def test_a_consumer_that_comes_back_goes_on_where_it_was(payouts_database: Database, bus: Bus) -> None:
    first = handler(payouts_database)
    async with running(bus.consumer(first, "payouts").run):
        await bus.write(record(completed("b1", 1)))
        await eventually(lambda: has(payouts_database, 1))
    second = handler(payouts_database)
    async with running(bus.consumer(second, "payouts").run):
        await bus.write(record(completed("b1", 2)))
        await eventually(lambda: has(payouts_database, 2))
    assert (second.counts.applied, second.counts.duplicates) == (1, 0)


async def test_a_passing_error_holds_the_partition_until_it_has_passed(payouts_database: Database, bus: Bus) -> None:
    tries = 0

    async def react(tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
        nonlocal tries
        tries += 1
        await see(tx, events, context)
        if tries < 4:
            raise Unavailable

    own = handler(payouts_database, {tasking.BatchCompleted: react})
    async with running(bus.consumer(own, "payouts").run):
        await bus.write(*(record(completed("b1", number)) for number in range(5)))
        await eventually(lambda: has(payouts_database, 5))
        await bus.write(record(completed("b1", 5)))
        await eventually(lambda: has(payouts_database, 6))
    assert await seen(payouts_database) == [("b1", number) for number in range(6)]
    assert own.counts.dead_lettered == 0


async def test_a_consumer_in_trouble_stops_when_told_to(payouts_database: Database, bus: Bus) -> None:
    tries = 0

    async def react(_: Transaction, __: Sequence[Event[Any]], ___: object) -> None:
        nonlocal tries
        tries += 1
        raise Unavailable

    async def tried() -> bool:
        return tries > 1

    async with running(bus.consumer(handler(payouts_database, {tasking.BatchCompleted: react}), "payouts").run):
        await bus.write(record(completed("b1")))
        await eventually(tried)
    assert await seen(payouts_database) == []


class LosesCommits(Consumer[None]):
    """A consumer whose first commit of offsets fails at the broker, as it tells by its callback."""

    lost = 0

    def _commit_finished(self) -> None:
        if self.lost or not self._finished:
            super()._commit_finished()
            return
        self.lost += 1
        self._on_commit(KafkaError(KafkaError.STALE_MEMBER_EPOCH), [])


async def test_offsets_whose_commit_failed_are_committed_again_though_nothing_comes(
    payouts_database: Database, bus: Bus
) -> None:
    """Otherwise the group seems to lag, and repeats the events at its next start."""
    first = handler(payouts_database)
    consumer = LosesCommits(first, consumer_settings(bus.brokers, f"{bus.prefix}payouts"), topic_prefix=bus.prefix)
    async with running(consumer.run):
        await bus.write(record(completed("b1", 1)))
        await eventually(lambda: has(payouts_database, 1))
        await eventually(lambda: committed(bus, "payouts", "tasking.batch.v1"))
    assert consumer.lost == 1


async def committed(bus: Bus, group: str, topic: str) -> bool:
    return await asyncio.to_thread(_committed, bus, group, topic) > 0


def _committed(bus: Bus, group: str, topic: str) -> int:
    client = KafkaConsumer({**client_settings(bus.brokers), "group.id": bus.prefix + group})
    try:
        places = [TopicPartition(bus.prefix + topic, number) for number in range(PARTITIONS)]
        return sum(max(0, place.offset) for place in client.committed(places, timeout=60))
    finally:
        client.close()
