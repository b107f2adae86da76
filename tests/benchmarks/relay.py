"""The relay beside a bare loop: read, produce, flush, delete, commit."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import asyncpg
import orjson
from confluent_kafka import KafkaError, Message, Producer

from chassis.bus import outbox
from chassis.bus.publisher import KafkaPublisher, producer_settings
from chassis.bus.relay import Relay
from chassis.db import Database
from services.tasking.service import SERVICE
from tests.benchmarks.events import answers_submitted, writer
from tests.benchmarks.measure import Figure, beside_limit
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Rig

_EVENTS_A_SECOND = 10_000
_BATCH = 1000
_STASH = "CREATE TABLE stash AS SELECT lane, topic, key, event_id, type, payload, headers FROM outbox ORDER BY id"
_FILL = """
INSERT INTO outbox (lane, topic, key, event_id, type, payload, headers) SELECT * FROM stash
"""


async def run(rig: Rig, step: Step) -> Sequence[Figure]:
    """Events a second."""
    events = max(_BATCH, int(rig.seconds * _EVENTS_A_SECOND))
    async with rig.database("tasking", SERVICE.migrations) as (url, database), rig.administrator(url) as administrator:
        await _stash(database, administrator, events)
        publisher = KafkaPublisher(producer_settings(rig.backends.brokers), rig.prefix)
        producer = Producer(producer_settings(rig.backends.brokers))
        rounds = iter(step.through(range(rig.rounds + 1)))

        async def ours() -> float:
            next(rounds, None)
            await _fill(administrator)
            return events / await _drain(Relay(database, publisher.publish), events)

        async def bare() -> float:
            await _fill(administrator)
            connection = await asyncpg.connect(url)
            try:
                start = time.perf_counter()
                while await _bare_round(connection, producer, rig.prefix):
                    pass
                return events / (time.perf_counter() - start)
            finally:
                await connection.close()

        await ours(), await bare()
        figure = await beside_limit("events beside a bare loop", "/s", ours, bare, rig.rounds, 0.8)
        await publisher.close()
    return [figure]


async def _stash(database: Database, administrator: asyncpg.Connection[asyncpg.Record], events: int) -> None:
    """Keeps a full outbox aside."""
    rows = [writer("tasking").row(event) for event in answers_submitted(events)]
    for start in range(0, events, _BATCH):
        await outbox.write(administrator, rows[start : start + _BATCH])
    await administrator.execute(_STASH)


async def _fill(administrator: asyncpg.Connection[asyncpg.Record]) -> None:
    await administrator.execute("TRUNCATE outbox")
    await administrator.execute(_FILL)
    await administrator.execute("VACUUM ANALYZE outbox")


async def _drain(relay: Relay, events: int) -> float:
    """Seconds until all are gone, as the process of a service would do it."""
    stop = asyncio.Event()
    start = time.perf_counter()
    running = asyncio.create_task(relay.run(stop))
    while relay.counts.published < events:  # noqa: ASYNC110 - the relay tells nobody
        await asyncio.sleep(0.002)
    seconds = time.perf_counter() - start
    stop.set()
    await running
    return seconds


async def _bare_round(connection: asyncpg.Connection[asyncpg.Record], producer: Producer, prefix: str) -> int:
    """One batch in one transaction."""
    faults: list[KafkaError] = []

    def note(error: KafkaError | None, _: Message) -> None:
        if error:
            faults.append(error)

    async with connection.transaction():
        rows = await connection.fetch(
            "SELECT lane, id, topic, key, payload, headers FROM outbox ORDER BY lane, id LIMIT $1", _BATCH
        )
        for row in rows:
            topic, headers = prefix + row["topic"], orjson.loads(row["headers"])
            producer.produce(topic, row["payload"], row["key"], headers=headers, on_delivery=note)
        await asyncio.to_thread(producer.flush)
        assert not faults
        lanes, ids = list({row["lane"] for row in rows}), [row["id"] for row in rows]
        await connection.execute("DELETE FROM outbox WHERE lane = ANY ($1) AND id = ANY ($2)", lanes, ids)
    return len(rows)
