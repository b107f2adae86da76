"""The relay on real PostgreSQL and real Kafka."""

from __future__ import annotations

import asyncio

from chassis import tracing
from chassis.bus.relay import Relay, outbox_depth
from chassis.db import Database, Scope
from tests.support.bus import Bus, eventually, relaying
from tests.support.reactions import completed


async def depth(database: Database) -> int:
    async with database.transaction(Scope.service()) as tx:
        return (await outbox_depth(tx)).rows


async def test_an_event_arrives_with_its_envelope_and_leaves_the_outbox(tasking_database: Database, bus: Bus) -> None:
    async with relaying(tasking_database, bus) as relay:
        with tracing.start() as span:
            async with tasking_database.transaction(Scope.service()) as tx:
                tx.emit(completed("batch-1", 7))
        await eventually(lambda: published(relay, 1))
    assert await depth(tasking_database) == 0
    (found,) = await bus.read("tasking.batch.v1")
    headers = {name: (value or b"").decode() for name, value in found.headers}
    assert found.key == b"batch-1"
    assert found.value == completed("batch-1", 7).SerializeToString()
    assert headers["ce_type"] == "preceptor.tasking.v1.BatchCompleted"
    assert headers["ce_source"] == "/services/tasking"
    assert headers["traceparent"] == span.header()
    assert headers["content-type"] == "application/protobuf"


async def published(relay: Relay, number: int) -> bool:
    return relay.counts.published >= number


async def test_a_transaction_that_rolls_back_tells_nothing(tasking_database: Database, bus: Bus) -> None:
    try:
        async with tasking_database.transaction(Scope.service()) as tx:
            tx.emit(completed("batch-1"))
            raise RuntimeError
    except RuntimeError:
        pass
    assert await depth(tasking_database) == 0


async def test_relays_that_share_an_outbox_send_each_event_once_and_in_order(
    tasking_database: Database, bus: Bus
) -> None:
    for number in range(20):
        async with tasking_database.transaction(Scope.service()) as tx:
            tx.emit(*(completed(f"batch-{key}", number) for key in range(40)))
    publisher = bus.publisher()
    relays = [Relay(tasking_database, publisher.publish, batch=100) for _ in range(3)]
    while await depth(tasking_database):
        await asyncio.gather(*(relay.round() for relay in relays))
    sent = await bus.read("tasking.batch.v1")
    assert len(sent) == 800
    for key in {record.key for record in sent}:
        payloads = [record.value for record in sent if record.key == key]
        assert payloads == [completed((key or b"").decode(), number).SerializeToString() for number in range(20)]
