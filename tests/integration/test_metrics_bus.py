"""What metrics tell of the bus: how late a consumer is, what holds it, what was put aside, and what did not go out."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.message import Message
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus.breaker import Breaker
from chassis.bus.envelope import Event
from chassis.bus.handler import Handler, Reaction
from chassis.bus.intake import Record
from chassis.bus.lag import TimeLag
from chassis.bus.publisher import Waiting
from chassis.bus.relay import Relay
from chassis.contract.events import catalogue, event_type
from chassis.db import Database, Scope, Transaction
from chassis.errors import Unavailable
from chassis.ids import new_id
from chassis.telemetry.readings import OF_EVERY_SERVICE, read
from tests.support.bus import Bus, eventually, record, relaying, running
from tests.support.metrics import rising, value
from tests.support.reactions import Poisoned, completed, handler, see, see_unless_poisoned

TOPIC = event_type(tasking.BatchCompleted).topic
CAREFUL: dict[type[Message], Reaction[None]] = {tasking.BatchCompleted: see_unless_poisoned}


async def test_what_goes_out_and_what_comes_in_is_counted(
    tasking_database: Database, payouts_database: Database, bus: Bus
) -> None:
    with (
        rising("messaging_client_sent_messages_total") as sent,
        rising("messaging_client_consumed_messages_total", outcome="applied") as applied,
        rising("preceptor_consumer_records_total", messaging_destination_name=TOPIC, in_time="yes") as in_time,
        rising("preceptor_consumer_batch_records_sum") as in_batches,
    ):
        async with relaying(tasking_database, bus), running(bus.consumer(handler(payouts_database), "payouts").run):
            async with tasking_database.transaction(Scope.service()) as tx:
                tx.emit(*(completed(f"b{n}") for n in range(5)))

            async def caught_up() -> bool:
                return value("preceptor_consumer_partitions") > 0 and in_batches() == 5

            await eventually(caught_up)
        assert (sent(), applied(), in_time()) == (5, 5, 5)


async def test_a_relay_that_cannot_publish_is_counted(tasking_database: Database) -> None:
    async def nowhere(rows: Sequence[Waiting]) -> Mapping[int, str]:
        return dict.fromkeys(range(len(rows)), "no broker")

    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(completed("b1"))
    with rising("preceptor_relay_failures_total") as failures:

        async def failed_twice() -> bool:
            return failures() >= 2

        async with running(Relay(tasking_database, nowhere).run):
            await eventually(failed_twice)


async def test_a_held_consumer_says_so_and_its_time_lag_grows(payouts_database: Database, bus: Bus) -> None:
    passing = asyncio.Event()

    async def react(tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
        if not passing.is_set():
            raise Unavailable
        await see(tx, events, context)

    def lag() -> float:
        return value("preceptor_consumer_time_lag_seconds", messaging_destination_name=TOPIC)

    async def held() -> bool:
        return value("preceptor_consumer_held") == 1 and value("preceptor_consumer_lag_records") == 3 and lag() > 0

    async def over() -> bool:
        return value("preceptor_consumer_held") == value("preceptor_consumer_lag_records") == lag() == 0

    own = handler(payouts_database, {tasking.BatchCompleted: react})
    async with running(bus.consumer(own, "payouts").run):
        await bus.write(*(record(completed("b1", number)) for number in range(3)))
        await eventually(held)
        before = lag()
        await asyncio.sleep(0)
        assert lag() >= before
        passing.set()
        await eventually(over)


async def test_a_breaker_that_is_open_is_told(payouts_database: Database, bus: Bus) -> None:
    async def never(_: Transaction, __: Sequence[Event[Any]], ___: object) -> None:
        raise Poisoned

    async def told() -> bool:
        return value("preceptor_consumer_breaker_open") == 1

    reactions: dict[type[Message], Reaction[None]] = {tasking.BatchCompleted: never}
    own = Handler("payouts", payouts_database, reactions, None, catalogue(), Breaker(in_a_row=1))
    async with running(bus.consumer(own, "payouts").run):
        await bus.write(*(record(completed(str(new_id()), number)) for number in range(5)))
        await eventually(told)


async def test_poison_and_what_waits_behind_it_are_counted(payouts_database: Database) -> None:
    own = handler(payouts_database, CAREFUL)
    outcomes = "messaging_client_consumed_messages_total"
    first = record(completed("b2"))
    with (
        rising(outcomes, outcome="dead_lettered") as dead,
        rising(outcomes, outcome="set_aside") as aside,
        rising(outcomes, outcome="duplicate") as repeated,
    ):
        await own.handle([record(completed("b1", -1))])
        await own.handle([record(completed("b1", 1)), first])
        await own.handle([first])
        assert (dead(), aside(), repeated()) == (1, 1, 1)
    await read(payouts_database, OF_EVERY_SERVICE[0], None)
    waiting = ("preceptor_dead_letters", "preceptor_parked_keys", "preceptor_parked_events")
    assert [value(name) for name in waiting] == [1, 1, 1]


def test_records_are_late_by_the_time_they_carry_and_none_or_a_future_one_is_no_lag() -> None:
    now = 1_900_000_000.0

    def at(time: float) -> Record:
        return Record("topic", 0, 0, b"", b"", (), time=time)

    lag = TimeLag(["topic"], clock=lambda: now)
    with (
        rising("preceptor_consumer_records_total", messaging_destination_name="topic", in_time="no") as late,
        rising("preceptor_consumer_records_total", messaging_destination_name="topic", in_time="yes") as in_time,
    ):
        records = [at(now - 1), at(now - 61), at(now - 59), at(now + 500), at(0), at(-0.001)]
        lag.took(records)
        assert lag.seconds("topic") == 61
        lag.did(records)
        assert (late(), in_time()) == (1, 5)
    lag.took([at(now + 500), at(0)])
    assert lag.seconds("topic") == 0
    lag.took([])
    assert lag.seconds("topic") == 0
