"""What is done with a batch of records: each fact applied once, each key in order, what cannot be applied put aside.

A batch is one transaction. If it fails, its records are tried one by one, and what fails alone is poison: a dead
letter, and its key is parked. An error that may pass by itself touches nothing: the caller holds on and tries again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, NamedTuple, TypeVar

import structlog
from google.protobuf.message import Message

from chassis import tracing
from chassis.bus import inbox, parking
from chassis.bus.breaker import Breaker
from chassis.bus.dead_letters import Failure, Letter, keep
from chassis.bus.envelope import Event, printable
from chassis.bus.intake import Intake, Received, Record, Refused, Undecodable
from chassis.bus.waves import latest_states, waves
from chassis.contract.events import EventType, Kind
from chassis.db import Database, Scope, Transaction
from chassis.errors import ServiceError

C = TypeVar("C")
Reaction = Callable[[Transaction, Sequence[Event[Any]], C], Awaitable[None]]
"""Applies events of one type, in one transaction with their inbox rows. Facts come once, states may repeat."""

_log = structlog.get_logger(__name__)
# Asked for with every record: Python 3.11 takes ten times as long to find a member in its enum.
_STATE, _FACT = Kind


@dataclass(slots=True)
class HandlerCounts:
    """Events since the start of the process."""

    applied: int = 0
    duplicates: int = 0
    set_aside: int = 0
    dead_lettered: int = 0


@dataclass(frozen=True, slots=True)
class Handled:
    """How many records, from the first, are done; and the passing error that keeps the next one from it, if any."""

    done: int
    error: Exception | None = None


class _Item(NamedTuple):
    """A record with what it was read as: an event, nothing of interest, or a refusal."""

    record: Record
    received: Received | None
    refusal: Refused | None


class Handler(Generic[C]):
    """Applies records to one service's database."""

    def __init__(
        self,
        service: str,
        database: Database,
        reactions: Mapping[type[Message], Reaction[C]],
        context: C,
        types: Mapping[str, EventType],
        breaker: Breaker | None = None,
    ) -> None:
        """Takes the service's name, which is its name as a consumer too, its reactions, and the event catalogue."""
        self.consumer = service
        self._database = database
        self._reactions = {cls.DESCRIPTOR.full_name: reaction for cls, reaction in reactions.items()}
        self._context = context
        self._kinds = {type_.topic: type_.kind for type_ in types.values()}
        self._intake = Intake(types, set(self._reactions))
        self.breaker = breaker or Breaker()
        self.topics = sorted({types[name].topic for name in self._reactions})
        self.counts = HandlerCounts()

    async def handle(self, records: Sequence[Record]) -> Handled:
        """Applies records in their order, as far as it goes now."""
        batch = [self._read(record) for record in records]
        failed_at = datetime.now(UTC)
        if not any(isinstance(item.refusal, Undecodable) for item in batch):
            try:
                await self._apply(batch)
                return Handled(len(batch))
            except Exception as error:
                if passing(error):
                    return Handled(0, error)
                _log.warning("batch failed, going one by one", records=len(batch), error=type(error).__name__)
        return await self._one_by_one(batch, failed_at)

    def _read(self, record: Record) -> _Item:
        try:
            return _Item(record, self._intake.read(record), None)
        except Refused as refusal:
            return _Item(record, None, refusal)

    async def _one_by_one(self, batch: Sequence[_Item], failed_at: datetime) -> Handled:
        for done, item in enumerate(batch):
            try:
                await self._apply_or_bury(item, failed_at)
            except Exception as error:
                if not passing(error):
                    raise
                return Handled(done, error)
        return Handled(len(batch))

    async def _apply_or_bury(self, item: _Item, failed_at: datetime) -> None:
        """Raises passing errors, `BreakerOpen` among them."""
        try:
            if isinstance(item.refusal, Undecodable):
                raise item.refusal
            await self._apply([item])
        except Exception as error:
            if passing(error):
                raise
            self.breaker.failed()
            await self._bury(item, Failure(error, self.consumer, 1 if item.refusal else 2, failed_at))

    async def _apply(self, batch: Sequence[_Item]) -> None:
        """All of a batch in one transaction."""
        received = [item.received for item in batch if item.received]
        refused = [item for item in batch if item.refusal]
        if not received and not refused:
            return

        async def work(tx: Transaction) -> HandlerCounts:
            now = datetime.now(UTC)
            await keep(tx, [self._refused(item, now) for item in refused])
            return await self._react(tx, received)

        with tracing.start(_common_trace(received)):
            counts = await self._database.run(Scope.service(), work)
        self._count(counts, len(refused))

    async def apply_released(self, tx: Transaction, records: Sequence[Record]) -> None:
        """Applies records, whether their keys are parked or not. Raises `Refused` or what reactions raise."""
        received = [item for record in records if (item := self._intake.read(record))]
        await self._react(tx, received, heed_parked=False)

    def _refused(self, item: _Item, now: datetime) -> Letter:
        return Letter(item.record.own_id(), item.record, Failure(item.refusal or Refused(), self.consumer, 1, now))

    async def _react(self, tx: Transaction, received: Sequence[Received], *, heed_parked: bool = True) -> HandlerCounts:
        facts = [item for item in received if item.type.kind is _FACT]
        parked: set[parking.Key] = set()
        if heed_parked:
            fresh, parked = await inbox.admit(tx, self.consumer, facts)
        else:
            fresh = await inbox.take(tx, self.consumer, [item.event.id for item in facts])
        aside = [item for item in facts if _key(item) in parked] if parked else []
        await parking.set_aside(tx, self.consumer, aside)
        open_ = [item for item in facts if _key(item) not in parked] if parked else facts
        new = {item.event.id: item for item in reversed(open_) if item.event.id in fresh}
        due = latest_states(item for item in received if item.type.kind is _STATE)
        due += [item for item in open_ if new.get(item.event.id) is item]
        for wave in waves(due):
            await self._reactions[wave.type.name](tx, [item.event for item in wave.events], self._context)
        return HandlerCounts(len(due), len(open_) - len(new), len(aside))

    async def _bury(self, item: _Item, failure: Failure) -> None:
        """Makes a record a dead letter, once, and parks its key if the order of its topic matters."""
        record, received = item.record, item.received
        fact = self._kinds[record.topic] is _FACT
        event_id = received.event.id if received and fact else record.own_id()

        async def work(tx: Transaction) -> None:
            if await inbox.take(tx, self.consumer, [event_id]):
                await keep(tx, [Letter(event_id, record, failure)])
                if fact:
                    key = (record.topic, printable(record.key))
                    await parking.park(tx, self.consumer, key, event_id, failure.reason)

        await self._database.run(Scope.service(), work)
        self.counts.dead_lettered += 1
        where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
        _log.error("dead letter", event_id=event_id, reason=failure.reason, exc_info=failure.error, **where)

    def _count(self, counts: HandlerCounts, refused: int) -> None:
        self.breaker.succeeded(counts.applied)
        self.counts.applied += counts.applied
        self.counts.duplicates += counts.duplicates
        self.counts.set_aside += counts.set_aside
        self.counts.dead_lettered += refused


def passing(error: Exception) -> bool:
    """Whether the same may succeed later without anybody doing anything about it."""
    return error.retryable if isinstance(error, ServiceError) else isinstance(error, (ConnectionError, TimeoutError))


def _key(item: Received) -> parking.Key:
    return (item.record.topic, item.event.key)


def _common_trace(received: Sequence[Received]) -> str | None:
    """The trace of the events, if they have one in common; events of several make a new one."""
    found = {item.event.traceparent for item in received}
    return found.pop() if len(found) == 1 else None
