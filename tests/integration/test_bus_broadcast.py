"""A broadcast over a real Kafka: every reader gets every state, old and new, by itself."""

from __future__ import annotations

from dataclasses import replace

from preceptor.identity.v1.events_pb2 import Revoked

from chassis.bus.broadcast import Broadcast
from tests.support.bus import Bus, eventually, record, running
from tests.support.reactions import revoked


def states(number: int) -> list[Revoked]:
    return [revoked() for _ in range(number)]


def reader(bus: Bus, into: list[str]) -> Broadcast[Revoked]:
    def take(revoked: Revoked) -> None:
        if revoked.version == 13:
            raise ValueError
        into.append(revoked.revoked_id)

    return Broadcast(bus.brokers, Revoked, take, topic_prefix=bus.prefix)


async def test_each_reader_gets_all_that_was_and_all_that_comes(bus: Bus) -> None:
    await bus.create("identity")
    before, after = states(40), states(10)
    await bus.write(*map(record, before))
    first: list[str] = []
    second: list[str] = []
    readers = [reader(bus, first), reader(bus, second)]
    async with running(*(one.run for one in readers)):
        for one in readers:
            await one.caught_up.wait()
        assert set(first) == set(second) == {state.revoked_id for state in before}
        await bus.write(*map(record, after))
        await eventually(lambda: both(first, second, 50))


async def test_what_is_no_such_state_harms_nothing(bus: Bus) -> None:
    await bus.create("identity")
    (good,) = states(1)
    forged, garbage = record(good, ce_source="/services/tasking"), replace(record(good), value=b"\xff")
    unlucky = record(revoked(13))
    tombstone = replace(record(good), value=None)
    await bus.write(forged, garbage, unlucky, tombstone, record(good))
    found: list[str] = []
    one = reader(bus, found)
    async with running(one.run):
        await one.caught_up.wait()
        assert found == [good.revoked_id]


async def test_a_reader_waits_for_a_topic_that_is_not_there_yet(bus: Bus) -> None:
    found: list[str] = []
    one = reader(bus, found)
    async with running(one.run):
        await bus.create("identity")
        await one.caught_up.wait()
        await bus.write(*map(record, states(1)))
        await eventually(lambda: both(found, found, 1))


async def both(first: list[str], second: list[str], number: int) -> bool:
    return len(first) == len(second) == number
