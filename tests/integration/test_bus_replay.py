"""Operators decide about dead letters: what they release is applied once and in order, whatever comes meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus import parking
from chassis.bus.envelope import Event
from chassis.bus.handler import Handler
from chassis.bus.replay import Replayer
from chassis.db import Database, Scope, Transaction
from chassis.errors import Unavailable
from chassis.ids import new_id
from chassis.ops import letters
from chassis.ops.letters import Decision, Wanted
from tests.support.bus import record
from tests.support.reactions import Poisoned, completed, handler, see

KEY = ("tasking.batch.v1", "b1")


@dataclass
class Desk:
    """A consumer that cannot apply some numbers, until somebody mends it; and an operator's desk before it."""

    database: Database
    broken: set[int] = field(default_factory=set)
    down: bool = False
    mistaken: bool = False

    def __post_init__(self) -> None:
        self.handler: Handler[None] = handler(self.database, {tasking.BatchCompleted: self.react})
        self.replayer = Replayer(self.handler, self.database)
        self.offset = 0

    async def react(self, tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
        await see(tx, events, context)
        if self.mistaken:
            raise ZeroDivisionError
        if self.down:
            raise Unavailable
        if self.broken & {event.message.answers_decided for event in events}:
            raise Poisoned

    async def come(self, *numbers: int, key: str = "b1", ce_type: str = completed("").DESCRIPTOR.full_name) -> None:
        """Events of a key come in."""
        self.offset += len(numbers)
        records = [record(completed(key, n), offset=self.offset + n, ce_type=ce_type) for n in numbers]
        assert (await self.handler.handle(records)).error is None

    async def open(self) -> list[UUID]:
        """The letters that wait for a decision."""
        async with self.database.transaction(Scope.service()) as tx:
            return [row["id"] for row in await letters.listed(tx, "payouts", Wanted(), 100)]

    async def replay(self, letter_id: UUID) -> None:
        async with self.database.transaction(Scope.service()) as tx:
            await letters.replay(tx, Decision("payouts", letter_id, new_id(), "mended"))

    async def discard(self, letter_id: UUID) -> None:
        async with self.database.transaction(Scope.service()) as tx:
            await letters.discard(tx, Decision("payouts", letter_id, new_id(), "nobody misses it"))

    async def settle(self) -> None:
        """Rounds until there is nothing to do."""
        while await self.replayer.round():
            pass

    async def values(self, sql: str) -> list[Any]:
        async with self.database.transaction(Scope.service()) as tx:
            return [row[0] for row in await tx.fetch(sql)]

    async def seen(self) -> list[Any]:
        return await self.values("SELECT number FROM seen ORDER BY place")


@pytest.fixture
def desk(payouts_database: Database) -> Desk:
    return Desk(payouts_database, {1})


async def test_a_replayed_letter_is_applied_and_then_what_waited_behind_it_in_order(desk: Desk) -> None:
    await desk.come(0, 1, 2, 3, 4)
    (letter,) = await desk.open()
    desk.broken.clear()
    await desk.replay(letter)
    await desk.settle()
    await desk.come(5)
    assert await desk.seen() == [0, 1, 2, 3, 4, 5]
    assert await desk.values("SELECT state FROM dead_letter") == ["APPLIED"]
    assert await desk.values("SELECT key FROM parked_key") == []
    assert await desk.values("SELECT reason FROM dead_letter_action") == ["mended"]


async def test_a_letter_that_fails_again_is_open_again_and_its_key_stays_parked(desk: Desk) -> None:
    await desk.come(1, 2)
    (letter,) = await desk.open()
    await desk.replay(letter)
    await desk.settle()
    await desk.come(1, 3)
    assert await desk.seen() == []
    assert await desk.open() == [letter]
    assert await desk.values("SELECT attempts FROM dead_letter") == [3]
    desk.broken.clear()
    await desk.replay(letter)
    await desk.settle()
    assert await desk.seen() == [1, 2, 1, 3]


async def test_a_letter_that_fails_again_tells_what_its_contract_finds_where_the_error_says_nothing(desk: Desk) -> None:
    await desk.come(1)
    (letter,) = await desk.open()
    desk.mistaken = True
    await desk.replay(letter)
    await desk.settle()
    # The key of the event, b1, is not a UUID.
    assert await desk.values("SELECT reason FROM dead_letter") == ["INVALID_EVENT"]


async def test_what_fails_behind_a_letter_parks_the_key_anew_after_what_came_before_it(desk: Desk) -> None:
    await desk.come(1, 2, 3, 4)
    (first,) = await desk.open()
    desk.broken = {3}
    await desk.replay(first)
    await desk.settle()
    assert await desk.seen() == [1, 2]
    (second,) = await desk.open()
    assert second != first
    desk.broken.clear()
    await desk.replay(second)
    await desk.settle()
    assert await desk.seen() == [1, 2, 3, 4]


async def test_a_discarded_letter_is_never_applied_and_frees_its_key(desk: Desk) -> None:
    await desk.come(1, 2, 3)
    (letter,) = await desk.open()
    await desk.discard(letter)
    await desk.discard(letter)
    await desk.settle()
    await desk.come(4)
    assert await desk.seen() == [2, 3, 4]
    assert await desk.values("SELECT action FROM dead_letter_action") == ["DISCARD"]
    with pytest.raises(letters.DeadLetterEnded):
        await desk.replay(letter)


async def test_a_decision_is_safe_to_repeat(desk: Desk) -> None:
    await desk.come(1, 2)
    (letter,) = await desk.open()
    desk.broken.clear()
    for _ in range(3):
        await desk.replay(letter)
        await desk.settle()
    assert await desk.seen() == [1, 2]
    with pytest.raises(letters.DeadLetterEnded):
        await desk.discard(letter)


async def test_new_events_queue_behind_those_that_are_being_released(desk: Desk) -> None:
    await desk.come(*range(1, 250))
    (letter,) = await desk.open()
    desk.broken.clear()
    await desk.replay(letter)
    await desk.replayer.round()
    await desk.replayer.round()
    await desk.come(250, 251)
    await desk.settle()
    assert await desk.seen() == list(range(1, 252))


async def test_a_crash_between_two_steps_loses_and_repeats_nothing(desk: Desk) -> None:
    await desk.come(1, 2, 3)
    (letter,) = await desk.open()
    desk.broken.clear()
    desk.down = True
    await desk.replay(letter)
    with pytest.raises(Unavailable):
        await desk.replayer.round()
    assert await desk.seen() == []
    desk.down = False
    await desk.replayer.round()
    desk.down = True
    with pytest.raises(Unavailable):
        await desk.replayer.round()
    assert await desk.seen() == [1]
    desk.down = False
    await desk.settle()
    assert await desk.seen() == [1, 2, 3]


async def test_a_consumer_waits_for_a_key_that_is_just_being_freed(desk: Desk) -> None:
    await desk.come(1)
    (letter,) = await desk.open()
    await desk.discard(letter)
    async with desk.database.transaction(Scope.service()) as tx:
        assert await parking.releasing(tx, "payouts") == KEY
        coming = asyncio.ensure_future(desk.come(2))
        done, _ = await asyncio.wait([coming], timeout=0.2)
        assert not done
        await parking.unpark(tx, "payouts", KEY)
    await coming
    assert await desk.seen() == [2]
    assert await desk.values("SELECT key FROM parked_event") == []


async def test_nothing_overtakes_the_event_that_parks_its_key(desk: Desk) -> None:
    await desk.come(1)
    await desk.come(7, ce_type="preceptor.tasking.v9.New")
    parking_letter, stranger = await desk.open()
    with pytest.raises(letters.KeyParkedByAnother):
        await desk.replay(stranger)
    await desk.discard(parking_letter)
    await desk.settle()
    await desk.replay(stranger)
    await desk.settle()
    assert await desk.open() == [stranger]


async def test_a_letter_is_found_by_its_key_its_reason_and_its_type(desk: Desk) -> None:
    await desk.come(1)
    await desk.come(1, key="b2")
    async with desk.database.transaction(Scope.service()) as tx:
        found = {
            wanted: [row["key"] for row in await letters.listed(tx, "payouts", wanted, 10)]
            for wanted in (Wanted(key="b2"), Wanted(reason="POISONED"), Wanted(type="x"), Wanted(topic=KEY[0]))
        }
        with pytest.raises(letters.DeadLetterNotFound):
            await letters.found(tx, "payouts", new_id())
    assert list(found.values()) == [["b2"], ["b1", "b2"], [], ["b1", "b2"]]
