"""Many writers with open transactions, relays that are killed all the time: nothing lost, every key in order."""

from __future__ import annotations

import asyncio
import random
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from chassis.bus.handler import HandlerCounts
from chassis.bus.outbox import EventWriter, write
from chassis.bus.relay import outbox_depth
from chassis.contract.events import catalogue
from chassis.db import Database, Scope, Transaction
from tests.faults.relays import Plan, mortal_relays
from tests.faults.size import LONG, write_report
from tests.support.bus import Bus, eventually, running
from tests.support.reactions import completed, handler

EVENTS = 100_000 if LONG else 10_000
WRITERS = 16
KEYS = 200
EVENTS_EACH = 10
LONGEST_TRANSACTION = 0.020
PLAN = {"batch": 300, "dies_after_flush": 0.1} if LONG else {"batch": 100, "dies_after_flush": 0.3}

_WRITER = EventWriter("tasking", catalogue())
_NUMBER = "UPDATE aggregate SET number = number + $2 WHERE key = $1 RETURNING number"

_ORDER = """
SELECT count(*) FILTER (WHERE number <= before) AS out_of_order, count(DISTINCT event_id) AS events, count(*) AS rows
FROM (SELECT *, lag(number, 1, 0::bigint) OVER (PARTITION BY key ORDER BY place) AS before FROM seen) AS s
"""


async def test_relay_loses_nothing(tasking_url: str, payouts_database: Database, bus: Bus, tmp_path: Path) -> None:
    started = time.monotonic()
    database = await Database.connect(tasking_url, max_size=WRITERS + 1)
    consumer = handler(payouts_database)
    plan = Plan(tasking_url, bus.brokers.bootstrap_servers, bus.prefix, str(tmp_path / "deaths"), **PLAN)  # type: ignore[arg-type]
    async with running(bus.consumer(consumer, "payouts").run):
        async with mortal_relays(plan) as deaths:
            await first_arrival(database, consumer.counts)
            await write_all(database)
            await eventually(lambda: is_empty(database), 120)
        # What is lost does not come however long one waits; the report is to say how much it is.
        with suppress(TimeoutError):
            await eventually(lambda: have_come(consumer.counts, EVENTS), 30)
    await database.close()
    found = {
        "written": EVENTS,
        "writers": WRITERS,
        **await what_was_seen(payouts_database),
        "duplicates_on_the_wire": consumer.counts.duplicates,
        "kills": asdict(deaths),
        "seconds": round(time.monotonic() - started, 1),
    }
    write_report("relay-loses-nothing", found)
    assert found["lost"] == 0, found
    assert found["twice"] == 0, found
    assert found["out_of_order"] == 0, found
    assert consumer.counts.duplicates > 0, found
    assert deaths.after_flush >= 20, found
    assert deaths.at_random > 0, found


async def first_arrival(database: Database, counts: HandlerCounts) -> None:
    """Sees that all is running before the writers begin, so that they and the relays work at the same time."""
    async with database.transaction(Scope.service()) as tx:
        await tx.execute("INSERT INTO aggregate (key) SELECT 'b' || n FROM generate_series(1, $1::int) AS n", KEYS)
        await tell(tx)
    await eventually(lambda: have_come(counts, EVENTS_EACH))


async def write_all(database: Database) -> None:
    left = iter(range(EVENTS // EVENTS_EACH - 1))

    async def writer() -> None:
        for _ in left:
            await database.run(Scope.service(), tell)

    await asyncio.gather(*(writer() for _ in range(WRITERS)))


async def tell(tx: Transaction) -> None:
    """Some events of two aggregates whose rows are locked first, in a transaction that stays open with them in it."""
    for key in sorted(random.sample(range(1, KEYS + 1), 2)):
        last = await tx.fetchval(_NUMBER, f"b{key}", EVENTS_EACH // 2)
        numbers = range(last - EVENTS_EACH // 2 + 1, last + 1)
        await write(tx.conn, [_WRITER.row(completed(f"b{key}", number)) for number in numbers])
    await asyncio.sleep(random.uniform(0, LONGEST_TRANSACTION))


async def is_empty(database: Database) -> bool:
    async with database.transaction(Scope.service()) as tx:
        return (await outbox_depth(tx)).rows == 0


async def have_come(counts: HandlerCounts, events: int) -> bool:
    return counts.applied >= events


async def what_was_seen(database: Database) -> dict[str, object]:
    async with database.transaction(Scope.service()) as tx:
        row = await tx.fetchrow(_ORDER)
    assert row is not None
    return {
        "seen": row["rows"],
        "lost": EVENTS - row["events"],
        "twice": row["rows"] - row["events"],
        "out_of_order": row["out_of_order"],
    }
