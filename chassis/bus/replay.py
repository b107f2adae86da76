"""Replay: dead letters applied again after a fix, then what waits behind their keys, in order.

All of it happens in the service's own database, under the consumer's reactions and inbox. Each step is a transaction,
so a crash between two of them leaves the rest for the next round. While a key is being released new events of it still
queue behind the others, so none can overtake.
"""

from __future__ import annotations

from functools import partial
from typing import Generic, TypeVar
from uuid import UUID

import structlog

from chassis.bus import dead_letters, parking
from chassis.bus.copies import kept_key
from chassis.bus.dead_letters import Failure, Letter
from chassis.bus.handler import Handler, passing
from chassis.bus.inbox import forget, take
from chassis.bus.intake import Record
from chassis.db import Database, Row, Scope, Transaction

C = TypeVar("C")
_log = structlog.get_logger(__name__)
_AT_ONCE = 100


class Replayer(Generic[C]):
    """Applies what operators have released, at one consumer."""

    def __init__(self, handler: Handler[C], database: Database) -> None:
        """Takes the consumer's handler and its database."""
        self._handler = handler
        self._database = database
        self._consumer = handler.consumer

    async def round(self) -> int:
        """Settles the next letter, or the next events of a released key; returns how many things it did.

        Raises passing errors; the next round finds everything as it was.
        """
        return await self._replay_next() or await self._release_next()

    async def _replay_next(self) -> int:
        tried: list[tuple[UUID, Record]] = []
        try:
            return await self._database.run(Scope.service(), partial(self._replay, tried=tried))
        except Exception as error:
            if passing(error) or not tried:
                raise
            letter_id, record = tried[-1]
            again = partial(self._open_again, letter_id=letter_id, failure=self._handler.failure(record, error, 1))
            return await self._database.run(Scope.service(), again)

    async def _release_next(self) -> int:
        tried: list[Row] = []
        try:
            return await self._database.run(Scope.service(), partial(self._release, most=_AT_ONCE, tried=tried))
        except Exception as error:
            if passing(error):
                raise
        # One of them cannot be applied. What comes before it can, one by one, and then it is put aside alone.
        try:
            return await self._database.run(Scope.service(), partial(self._release, most=1, tried=tried))
        except Exception as error:
            if passing(error) or not tried:
                raise
            again = partial(self._park_again, row=tried[0], error=error)
            return await self._database.run(Scope.service(), again)

    async def _replay(self, tx: Transaction, tried: list[tuple[UUID, Record]]) -> int:
        """Applies a letter; the events behind it are the next rounds' work."""
        if not await parking.may_release(tx, self._consumer):
            return 0
        if (letter := await dead_letters.due(tx, self._consumer)) is None:
            return 0
        tried.append(letter)
        letter_id, record = letter
        await forget(tx, self._consumer, letter_id)
        await self._apply(tx, [record])
        await dead_letters.applied(tx, self._consumer, letter_id)
        await parking.release(tx, self._consumer, (record.topic, kept_key(record)), letter_id)
        _log.info("dead letter applied", letter_id=letter_id, topic=record.topic)
        return 1

    async def _release(self, tx: Transaction, most: int, tried: list[Row]) -> int:
        """Applies the first events behind a key; frees the key when there are no more."""
        tried.clear()
        if not await parking.may_release(tx, self._consumer):
            return 0
        if (key := await parking.releasing(tx, self._consumer)) is None:
            return 0
        tried += await parking.waiting(tx, self._consumer, key, most)
        await self._apply(tx, [dead_letters.record_of(row) for row in tried])
        await parking.let_go(tx, [row["id"] for row in tried])
        if len(tried) < most:
            await parking.unpark(tx, self._consumer, key)
        return len(tried) or 1

    async def _apply(self, tx: Transaction, records: list[Record]) -> None:
        await self._handler.apply_released(tx, records)

    async def _open_again(self, tx: Transaction, letter_id: UUID, failure: Failure) -> int:
        await dead_letters.failed_again(tx, letter_id, failure)
        _log.error("dead letter failed again", letter_id=letter_id, reason=failure.reason, exc_info=failure.error)
        return 1

    async def _park_again(self, tx: Transaction, row: Row, error: Exception) -> int:
        """Makes an event that waited a dead letter itself; the key stays parked, for it now."""
        if not await parking.let_go(tx, [row["id"]]):
            return 0
        record, event_id = dead_letters.record_of(row), row["event_id"]
        failure = self._handler.failure(record, error, 2)
        await take(tx, self._consumer, [event_id])
        await dead_letters.keep(tx, [Letter(event_id, record, failure)])
        await parking.park_again(tx, self._consumer, (row["topic"], row["key"]), event_id, failure.reason)
        _log.error("dead letter", event_id=event_id, reason=failure.reason, topic=record.topic, exc_info=error)
        return 1
