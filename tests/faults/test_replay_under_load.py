"""A dead letter is replayed while its key's events keep coming: none is lost, none comes twice, none overtakes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.bus.envelope import Event
from chassis.bus.replay import Replayer
from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.ops import letters
from chassis.ops.letters import Decision, Wanted
from tests.support.bus import Bus, eventually, record, running
from tests.support.reactions import Poisoned, completed, handler, see

EVENTS = 600


@dataclass
class Deploy:
    """A reaction that cannot apply some numbers until it is mended."""

    broken: set[int] = field(default_factory=set)

    async def react(self, tx: Transaction, events: Sequence[Event[Any]], context: object) -> None:
        if self.broken & {event.message.answers_decided for event in events}:
            raise Poisoned
        await see(tx, events, context)


async def replaying(replayer: Replayer[None], stop: asyncio.Event) -> None:
    """Rounds as the role `events` makes them, without a pause."""
    while not stop.is_set():
        await replayer.round()
        await asyncio.sleep(0)


@pytest.mark.parametrize("decide", ["replay", "discard"])
async def test_no_event_of_a_key_overtakes_while_it_is_released(
    payouts_database: Database, bus: Bus, decide: str
) -> None:
    deploy = Deploy({3, 70})
    own = handler(payouts_database, {tasking.BatchCompleted: deploy.react})
    replayers = [Replayer(own, payouts_database) for _ in range(2)]
    loops = [lambda stop, one=one: replaying(one, stop) for one in replayers]
    async with running(bus.consumer(own, "payouts").run, *loops):
        for first in range(0, EVENTS, 50):
            await bus.write(*(record(completed("b1", number)) for number in range(first, first + 50)))
            if first == 200:
                deploy.broken = {70} if decide == "replay" else deploy.broken
            await _decide_all(payouts_database, decide, only_after=200, now=first)
        deploy.broken = deploy.broken if decide == "discard" else set()
        await eventually(lambda: _settled(payouts_database, decide))
    lost = {3, 70} if decide == "discard" else set()
    assert await _numbers(payouts_database) == [number for number in range(EVENTS) if number not in lost]


async def _decide_all(database: Database, decide: str, *, only_after: int, now: int) -> None:
    """Decides about every open letter, once there is something behind it."""
    if now < only_after:
        return
    async with database.transaction(Scope.service()) as tx:
        for row in await letters.listed(tx, "payouts", Wanted(), 10):
            decision = Decision("payouts", row["id"], new_id(), "mended")
            if row["state"] == "OPEN":
                await (letters.replay if decide == "replay" else letters.discard)(tx, decision)


async def _settled(database: Database, decide: str) -> bool:
    """Whether every event has come through; letters that failed again in the meantime are decided about once more."""
    await _decide_all(database, decide, only_after=0, now=0)
    wanted = EVENTS if decide == "replay" else EVENTS - 2
    return len(await _numbers(database)) == wanted


async def _numbers(database: Database) -> list[int]:
    async with database.transaction(Scope.service()) as tx:
        return [row["number"] for row in await tx.fetch("SELECT number FROM seen ORDER BY place")]
