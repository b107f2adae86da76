"""The relay on real PostgreSQL and real Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import urlsplit

import asyncpg
import pytest
from preceptor.tasking.v1.events_pb2 import BatchCompleted

from chassis import tracing
from chassis.bus.brokers import Brokers
from chassis.bus.envelope import lane_of
from chassis.bus.intake import Record
from chassis.bus.outbox import EventWriter, write
from chassis.bus.publisher import BusUnavailable, KafkaPublisher, Waiting, producer_settings
from chassis.bus.relay import NotPublished, Relay, outbox_depth
from chassis.contract.events import catalogue
from chassis.db import Database, Scope
from chassis.migrate import database_url
from tests.support.bus import Bus, eventually, relaying, running
from tests.support.databases import Databases
from tests.support.reactions import completed

HERE = "datname = current_database()"
SCANS = "SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'outbox'"
WRITER = EventWriter("tasking", catalogue())


async def depth(database: Database) -> int:
    async with database.transaction(Scope.service()) as tx:
        return (await outbox_depth(tx)).rows


async def test_an_event_arrives_with_its_envelope_and_leaves_the_outbox(tasking_database: Database, bus: Bus) -> None:
    async with relaying(tasking_database, bus) as relay:
        with tracing.start("work") as span:
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


async def test_a_transaction_that_rolls_back_tells_nothing(tasking_database: Database) -> None:
    async def emit_and_fail() -> None:
        async with tasking_database.transaction(Scope.service()) as tx:
            tx.emit(completed("batch-1"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await emit_and_fail()
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
    assert by_key(await bus.read("tasking.batch.v1")) == TWENTY_OF_FORTY


async def test_a_backlog_of_large_events_is_moved_a_few_at_a_time(tasking_database: Database) -> None:
    large, lane = "x" * 60_000, lane_of("0")
    for number in range(8):
        async with tasking_database.transaction(Scope.service()) as tx:
            tx.emit(*(completed(str(key), number) for key in range(40)))
            tx.emit(BatchCompleted(batch_id="0", vendor_id=large, answers_decided=100 + number))
    taken: list[list[Waiting]] = []

    async def publish(rows: Sequence[Waiting]) -> dict[int, str]:
        taken.append([*rows])
        return {}

    relay = Relay(tasking_database, publish)
    while await depth(tasking_database):
        await relay.round()
    others = [row for row in taken[0] if row.lane != lane]
    assert len(others) == 8 * sum(lane_of(str(key)) != lane for key in range(40)), "others go at once"
    assert max(sum(row.lane == lane for row in rows) for rows in taken) <= 4
    told = [BatchCompleted.FromString(row.payload or b"") for rows in taken for row in rows if row.key == "0"]
    assert [event.answers_decided for event in told] == [n for k in range(8) for n in (k, 100 + k)]


TWENTY_OF_FORTY = {
    f"batch-{key}": [completed(f"batch-{key}", number).SerializeToString() for number in range(20)] for key in range(40)
}
"""The payloads of twenty events of each of forty keys, in their order."""


def by_key(sent: Sequence[Record]) -> dict[str, list[bytes | None]]:
    """What was sent of each key, in the order in which it was."""
    found: dict[str, list[bytes | None]] = {}
    for record in sent:
        found.setdefault((record.key or b"").decode(), []).append(record.value)
    return found


async def test_a_backlog_is_moved_by_two_rounds_at_a_time_and_each_event_goes_out_once_and_in_order(
    tasking_database: Database, bus: Bus
) -> None:
    publisher, rounds, at_a_time, most, beside = bus.publisher(), 0, 0, 0, asyncio.Event()

    async def publish(rows: Sequence[Waiting]) -> dict[int, str]:
        nonlocal rounds, at_a_time, most
        rounds, at_a_time = rounds + 1, at_a_time + 1
        most = max(most, at_a_time)
        if at_a_time == 2:
            beside.set()
        if rounds > 1:  # the first is alone, and finds the backlog
            await asyncio.wait_for(beside.wait(), 60)
        faults = await publisher.publish(rows)
        at_a_time -= 1
        return faults

    for number in range(20):
        async with tasking_database.transaction(Scope.service()) as tx:
            tx.emit(*(completed(f"batch-{key}", number) for key in range(40)))
    relay = Relay(tasking_database, publish, batch=80)
    async with running(relay.run):
        await eventually(lambda: published(relay, 800))
    assert most == 2
    assert await depth(tasking_database) == 0
    assert by_key(await bus.read("tasking.batch.v1")) == TWENTY_OF_FORTY


async def test_a_fault_in_a_backlog_is_told_after_both_rounds_and_nothing_is_lost(tasking_database: Database) -> None:
    sent: list[str] = []
    broken = lane_of("batch-0")

    async def publish(rows: Sequence[Waiting]) -> dict[int, str]:
        faults = {place: "refused" for place, row in enumerate(rows) if row.lane == broken and len(sent) < 300}
        sent.extend(f"{row.key} {row.id}" for place, row in enumerate(rows) if place not in faults)
        return faults

    for _ in range(10):
        async with tasking_database.transaction(Scope.service()) as tx:
            tx.emit(*(completed(f"batch-{key}") for key in range(40)))
    relay = Relay(tasking_database, publish, batch=80)
    async with running(relay.run):
        await eventually(lambda: published(relay, 400))
    assert relay.counts.failed > 0
    assert (len(sent), len(set(sent)), await depth(tasking_database)) == (400, 400, 0)


async def test_a_row_that_is_committed_during_the_flush_with_a_smaller_id_is_sent_too(
    tasking_database: Database,
) -> None:
    sent: list[str] = []
    read = asyncio.Event()
    committed = asyncio.Event()

    async def publish(rows: Sequence[Waiting]) -> dict[int, str]:
        sent.extend(row.key for row in rows)
        read.set()
        await committed.wait()
        return {}

    early, late = keys_of_one_lane(2)
    async with tasking_database.transaction(Scope.service()) as tx:
        await write(tx.conn, [WRITER.row(completed(early))])
        async with tasking_database.transaction(Scope.service()) as second:
            second.emit(completed(late))
        relay = Relay(tasking_database, publish)
        first_round = asyncio.ensure_future(relay.round())
        await read.wait()
    committed.set()
    assert (await first_round, await relay.round()) == (1, 1)
    assert sent == [late, early]


def keys_of_one_lane(number: int) -> list[str]:
    return [key for key in map(str, range(1000)) if lane_of(key) == 0][:number]


async def test_what_was_not_delivered_stays_with_all_that_follows_in_its_lane(tasking_database: Database) -> None:
    keys = keys_of_one_lane(3)
    refused = {keys[1]: "refused"}

    async def publish(rows: Sequence[Waiting]) -> dict[int, str]:
        return {place: refused[row.key] for place, row in enumerate(rows) if row.key in refused}

    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(*(completed(key) for key in keys))
    relay = Relay(tasking_database, publish)
    with pytest.raises(NotPublished):
        await relay.round()
    assert (await depth(tasking_database), relay.counts.published, relay.counts.failed) == (2, 1, 1)
    refused.clear()
    assert await relay.round() == 2


async def test_a_plan_from_when_the_outbox_was_empty_does_not_scan_it_when_it_is_full(
    tasking_url: str, databases: Databases
) -> None:
    async def publish(_: Sequence[Waiting]) -> dict[int, str]:
        return {}

    admin = await asyncpg.connect(database_url(databases.admin_url, urlsplit(tasking_url).path[1:]))
    await admin.execute("VACUUM ANALYZE outbox")
    before = await admin.fetchval(SCANS)
    database = await Database.connect(tasking_url, events=WRITER, max_size=1)
    relay = Relay(database, publish)
    for number in (*[1] * 8, 3000):
        async with database.transaction(Scope.service()) as tx:
            tx.emit(*(completed(str(key)) for key in range(number)))
        await relay.round()
    await database.close()
    # A server process tells its statistics when it ends.
    await eventually(lambda: is_gone(admin))
    assert await admin.fetchval(SCANS) == before
    await admin.close()


async def is_gone(admin: asyncpg.Connection[asyncpg.Record]) -> bool:
    return not await admin.fetchval("SELECT count(*) FROM pg_stat_activity WHERE usename = 'tasking_app' AND " + HERE)


async def test_a_relay_in_trouble_goes_on_when_it_has_passed(tasking_database: Database) -> None:
    tries = 0

    async def publish(_: Sequence[Waiting]) -> dict[int, str]:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise BusUnavailable
        return {}

    async def empty() -> bool:
        return await depth(tasking_database) == 0

    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(completed("b1"))
    async with running(Relay(tasking_database, publish).run):
        await eventually(empty)
    assert tries == 3


async def test_a_broker_that_is_gone_leaves_the_outbox_as_it_was(
    tasking_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.bus.publisher._FLUSH_SECONDS", 0.5)
    publisher = KafkaPublisher(producer_settings(Brokers(bootstrap_servers="127.0.0.1:1")))
    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(completed("b1"), completed("b2"))
    relay = Relay(tasking_database, publisher.publish)
    with pytest.raises(NotPublished):
        await relay.round()
    assert await depth(tasking_database) == 2
    await publisher.close()
