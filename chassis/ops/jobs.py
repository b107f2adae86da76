"""What the role `events` does for operators: it applies what they release, and tells how its consumer is."""

from __future__ import annotations

from datetime import timedelta
from typing import TypeVar

from chassis.bus.consumer import Consumer
from chassis.bus.handler import Handler
from chassis.bus.replay import Replayer
from chassis.db import Database
from chassis.ops.state import TELL_EVERY, Teller
from chassis.timers import Job

C = TypeVar("C")
_LOOK_EVERY = timedelta(seconds=0.5)


def jobs(handler: Handler[C], consumer: Consumer[C], database: Database) -> list[Job[C]]:
    """The jobs beside a consumer."""
    replayer, teller = Replayer(handler, database), Teller(handler.consumer)

    async def replay(_: Database, __: C) -> int:
        return await replayer.round()

    async def tell(_: Database, __: C) -> int:
        await teller.tell(database, handler.breaker.open, consumer.held, handler.counts)
        return 0

    return [Job("replay-dead-letters", _LOOK_EVERY, replay), Job("tell-status", TELL_EVERY, tell)]
