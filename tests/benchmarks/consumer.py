"""The consumer: events a second with a reaction that does nothing, beside a bare loop, and with scoring's own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Any
from uuid import UUID

import asyncpg
import confluent_kafka as kafka
from google.protobuf.message import Message
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.bus.consumer import Consumer, Reaction, consumer_settings
from chassis.bus.envelope import Event
from chassis.bus.handler import Handler
from chassis.bus.publisher import KafkaPublisher, Waiting, producer_settings
from chassis.contract.events import catalogue
from chassis.db import Database, Transaction
from services.scoring.service import SERVICE
from tests.benchmarks.events import answers_submitted, writer
from tests.benchmarks.measure import Figure, beside_limit
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Rig

_EVENTS_A_SECOND = 4_000
_BATCH = 500
_TAKE = "INSERT INTO inbox (consumer, event_id) SELECT $1, id FROM unnest($2::uuid[]) AS id ON CONFLICT DO NOTHING"

Reactions = Mapping[type[Message], Reaction[Any]]


async def run(rig: Rig, step: Step) -> Sequence[Figure]:
    """Events a second, from the first one that came to the last one committed."""
    events = max(_BATCH, int(rig.seconds * _EVENTS_A_SECOND))
    topic = await _publish(rig, events)
    async with rig.database("scoring", SERVICE.migrations) as (url, database):
        groups, rounds = count(), iter(step.through(range(rig.rounds)))

        async def idle() -> float:
            return events / await _consume(rig, database, {AnswerSubmitted: _nothing}, f"idle{next(groups)}", events)

        async def bare() -> float:
            seconds = await _consume_bare(rig, url, topic, f"bare{next(groups)}", events)
            next(rounds, None)
            return events / seconds

        next(rounds)
        figure = await beside_limit("events without work beside a bare loop", "/s", idle, bare, rig.rounds)
        own: Reactions = {AnswerSubmitted: SERVICE.reactions[AnswerSubmitted]}
        rate = events / await _consume(rig, database, own, "own", events)
    return [figure, Figure("events with scoring's reaction", rate, "/s")]


async def _nothing(_: Transaction, __: Sequence[Event[AnswerSubmitted]], ___: object) -> None:
    """A reaction that does nothing."""


async def _publish(rig: Rig, events: int) -> str:
    """Fills the topic; gives its whole name."""
    publisher = KafkaPublisher(producer_settings(rig.backends.brokers), rig.prefix)
    made = [writer("tasking").row(event) for event in answers_submitted(events)]
    rows = [Waiting(0, 0, row.topic, row.key, row.payload, row.headers) for row in made]
    for start in range(0, events, _BATCH):
        assert not await publisher.publish(rows[start : start + _BATCH])
    await publisher.close()
    return rig.prefix + made[0].topic


async def _consume(rig: Rig, database: Database, reactions: Reactions, name: str, events: int) -> float:
    """The consumer of a service, under a name of its own, until it has applied all."""
    handler: Handler[object] = Handler(name, database, reactions, None, catalogue())
    group = consumer_settings(rig.backends.brokers, f"{rig.prefix}{name}")
    consumer, stop = Consumer(handler, group, topic_prefix=rig.prefix), asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    await _until(lambda: handler.counts.applied > 0 or running.done())
    first, start = handler.counts.applied, time.perf_counter()
    await _until(lambda: handler.counts.applied >= events or running.done())
    seconds = time.perf_counter() - start
    stop.set()
    await running
    return seconds * events / (events - first)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the handler only counts
        await asyncio.sleep(0.003)


async def _consume_bare(rig: Rig, url: str, topic: str, name: str, events: int) -> float:
    """Read, decode, mark as taken, commit: nothing else."""
    client = kafka.Consumer(consumer_settings(rig.backends.brokers, f"{rig.prefix}{name}"))
    client.subscribe([topic])
    connection = await asyncpg.connect(url)
    done, first, start = 0, 0, 0.0
    try:
        while done < events:
            messages = await asyncio.to_thread(client.consume, _BATCH, 0.05)
            if not messages:
                continue
            ids = [UUID(dict(message.headers() or ())["ce_id"].decode()) for message in messages]  # type: ignore[union-attr]
            for message in messages:
                AnswerSubmitted.FromString(message.value() or b"")
            async with connection.transaction():
                await connection.execute(_TAKE, name, ids)
            client.commit(asynchronous=True)
            done += len(messages)
            if not first:
                first, start = done, time.perf_counter()
        return (time.perf_counter() - start) * events / (events - first)
    finally:
        await connection.close()
        await asyncio.to_thread(client.close)
