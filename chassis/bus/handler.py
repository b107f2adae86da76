"""What is done with a batch of records: each fact applied once, each key in order, what cannot be applied put aside.

A batch is one transaction. If it fails, its records are tried one by one, and what fails alone is poison: a dead
letter, and its key is parked. An error that may pass by itself touches nothing: the caller holds on and tries again.
Whatever a record is, it cannot raise: what is not applied is a letter, or is told as the error that holds it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import groupby
from typing import Any, Generic, NamedTuple, TypeVar

import structlog
from google.protobuf.message import Message

from chassis.bus import inbox, parking, traces
from chassis.bus.breaker import Breaker
from chassis.bus.copies import kept_key, may_be_a_key
from chassis.bus.dead_letters import Failure, Letter, keep
from chassis.bus.envelope import Event
from chassis.bus.intake import Intake, Received, Record, Refused, Undecodable, fault_of
from chassis.bus.waves import latest_states, waves
from chassis.contract.events import EventType, Kind
from chassis.db import Database, Scope, Transaction
from chassis.errors import ServiceError
from chassis.telemetry.metrics import CONSUMED

C = TypeVar("C")
Reaction = Callable[[Transaction, Sequence[Event[Any]], C], Awaitable[None]]
"""Applies events of one type, in one transaction with their inbox rows. Facts come once, states may repeat."""

_log = structlog.get_logger(__name__)
# Asked for with every record: Python 3.11 takes ten times as long to find a member in its enum.
_STATE, _FACT = Kind
_APPLIED, _DUPLICATES, _SET_ASIDE, _DEAD_LETTERED = (
    CONSUMED.labels(outcome) for outcome in ("applied", "duplicate", "set_aside", "dead_lettered")
)


@dataclass(slots=True)
class HandlerCounts:
    """Events since the start of the process."""

    applied: int = 0
    duplicates: int = 0
    set_aside: int = 0
    dead_lettered: int = 0


@dataclass(frozen=True, slots=True)
class Handled:
    """How many records, from the first, are done; and the error that keeps the next one from it for now, if any."""

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
        done = 0
        # Apart, because what cannot be decoded parks its key for those behind it, not for those before it.
        for _, run in groupby(map(self._read, records), _undecodable):
            handled = await self._handle_run([*run])
            done += handled.done
            if handled.error:
                return Handled(done, handled.error)
        return Handled(done)

    def _read(self, record: Record) -> _Item:
        try:
            return _Item(record, self._intake.read(record), None)
        except Refused as refusal:
            return _Item(record, None, refusal)
        except Exception as error:
            return _Item(record, None, Undecodable(f"Reading it ends in {type(error).__name__}."))

    async def _handle_run(self, run: Sequence[_Item]) -> Handled:
        failed_at = datetime.now(UTC)
        try:
            await self._apply(run)
            return Handled(len(run))
        except Exception as error:
            if passing(error):
                return Handled(0, error)
            _log.warning("batch failed, going one by one", records=len(run), error=type(error).__name__)
        for done, item in enumerate(run):
            try:
                await self._apply_or_bury(item, failed_at)
            except Exception as error:
                return Handled(done, error)
        return Handled(len(run))

    async def _apply_or_bury(self, item: _Item, failed_at: datetime) -> None:
        """Raises passing errors, `BreakerOpen` among them, and what keeps a letter from being kept."""
        try:
            await self._apply([item])
        except Exception as error:
            if passing(error):
                raise
            if (fault := item.refusal or _fault(item.received)) is None:
                self.breaker.failed()
            await self._bury(self._letter(item, Failure(_told(error, fault), self.consumer, 2, failed_at)))

    async def _apply(self, run: Sequence[_Item]) -> None:
        """All of a run in one transaction; what is refused becomes letters in it."""
        received = [item.received for item in run if item.received]
        now = datetime.now(UTC)
        refused = [self._letter(item, Failure(item.refusal, self.consumer, 1, now)) for item in run if item.refusal]
        if not received and not refused:
            return

        async def work(tx: Transaction) -> tuple[Sequence[Letter], HandlerCounts]:
            return await self._put_aside(tx, refused), await self._react(tx, traced)

        with traces.handled(self.consumer, received) as traced:
            kept, counts = await self._database.run(Scope.service(), work)
        self._count(counts)
        self._tell(kept)

    def failure(self, record: Record, error: Exception, attempts: int) -> Failure:
        """What to tell of an error by which a released record failed."""
        item = self._read(record)
        return Failure(_told(error, item.refusal or _fault(item.received)), self.consumer, attempts, datetime.now(UTC))

    async def apply_released(self, tx: Transaction, records: Sequence[Record]) -> None:
        """Applies records, whether their keys are parked or not. Raises `Refused` or what reactions raise."""
        received = [item for record in records if (item := self._intake.read(record))]
        with traces.handled(self.consumer, received) as traced:
            await self._react(tx, traced, heed_parked=False)

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

    async def _bury(self, letter: Letter) -> None:
        """Makes a record a dead letter, once, and parks its key if the order of its topic matters.

        Should there be something wrong with the letter, which must not stop what comes behind it, the place and the
        reason alone are kept. Raises what keeps even these from being kept.
        """
        try:
            kept = await self._database.run(Scope.service(), partial(self._put_aside, letters=[letter]))
        except Exception as error:
            if passing(error):
                raise
            _log.error("dead letter not kept whole", letter_id=letter.id, exc_info=error)
            record = replace(letter.record, value=None, headers=(), fault="The letter could not be kept whole.")
            bare = replace(letter, record=record)
            kept = await self._database.run(Scope.service(), partial(self._put_aside, letters=[bare]))
        self._tell(kept)

    def _letter(self, item: _Item, failure: Failure) -> Letter:
        """By the id of its event where it is a valid fact, else by one of its place, so that it takes nobody's."""
        record, fact = item.record, self._kinds[item.record.topic] is _FACT
        id_ = item.received.event.id if item.received and fact else record.own_id()
        parks = fact and _parks(item) and may_be_a_key(record.key)
        return Letter(id_, record, failure, parks)

    async def _put_aside(self, tx: Transaction, letters: Sequence[Letter]) -> Sequence[Letter]:
        """Keeps letters instead of their events, and parks the keys of those that do; returns those that are new."""
        taken = await inbox.take(tx, self.consumer, [letter.id for letter in letters])
        new = [letter for letter in letters if letter.id in taken]
        await keep(tx, new)
        causes = [(letter, (letter.record.topic, kept_key(letter.record))) for letter in new if letter.parks]
        await parking.park(tx, self.consumer, [(key, letter.id, letter.failure.reason) for letter, key in causes])
        return new

    def _tell(self, kept: Sequence[Letter]) -> None:
        self.counts.dead_lettered += len(kept)
        _DEAD_LETTERED.inc(len(kept))
        for letter in kept:
            record, failure = letter.record, letter.failure
            where = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            _log.error("dead letter", event_id=letter.id, reason=failure.reason, exc_info=failure.error, **where)

    def _count(self, counts: HandlerCounts) -> None:
        self.breaker.succeeded(counts.applied)
        self.counts.applied += counts.applied
        self.counts.duplicates += counts.duplicates
        self.counts.set_aside += counts.set_aside
        _APPLIED.inc(counts.applied)
        _DUPLICATES.inc(counts.duplicates)
        _SET_ASIDE.inc(counts.set_aside)


def _parks(item: _Item) -> bool:
    """Whether it would be a letter of the topic's owner: what comes after it under its key is to wait."""
    return item.refusal is None or _undecodable(item)


def passing(error: Exception) -> bool:
    """Whether the same may succeed later without anybody doing anything about it."""
    return error.retryable if isinstance(error, ServiceError) else isinstance(error, (ConnectionError, TimeoutError))


def _fault(received: Received | None) -> Refused | None:
    """What makes a failure the event's own: the breaker counts those that may be ours."""
    with suppress(Exception):
        return fault_of(received.event.message) if received else None
    return None


def _told(error: Exception, fault: Refused | None) -> Exception:
    """Of an error and a fault of the event what says more: an error outside the tree says nothing to operators."""
    return fault if fault and not isinstance(error, ServiceError) else error


def _undecodable(item: _Item) -> bool:
    return isinstance(item.refusal, Undecodable)


def _key(item: Received) -> parking.Key:
    return (item.record.topic, item.event.key)
