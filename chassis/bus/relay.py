"""The relay: outbox rows into Kafka, in the order of their lanes, at least once.

A round is one transaction: lock lanes and take their rows, produce, flush, check every report, commit. The commit gives
the lanes back, so any number of relays share them without a session to hold anything. What a crash between flush and
commit repeats, consumers drop by their inbox. A backlog is moved by two rounds at a time, each with half of the lanes:
one reads while the other waits for Kafka.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from chassis import tracing
from chassis.bus import traces
from chassis.bus.envelope import LANES
from chassis.bus.publisher import Waiting
from chassis.db import Database, Scope, Transaction
from chassis.errors import ServiceError
from chassis.telemetry.metrics import RELAY_FAILURES, SENT
from chassis.waiting import Backoff, pause, side_by_side

_log = structlog.get_logger(__name__)

Publish = Callable[[Sequence[Waiting]], Awaitable[Mapping[int, str]]]
"""Publishes rows in order; returns the place and the fault of each that is not known to have arrived."""

# After a round that moved something: as long as it took, between these. On a machine that is short of processor rounds
# become fewer and larger.
_BUSY_SECONDS = (0.010, 0.050)
_IDLE_SECONDS = 0.100

_ALL = range(LANES)
_HALVES = (_ALL[: LANES // 2], _ALL[LANES // 2 :])

_WAITS = "SELECT outbox_waits()"

_TAKE = "SELECT lane, id, topic, key, payload, headers FROM take_events($1, $2, $3)"

# By exact ids, never by range: a row with a smaller id may have been committed since the read. The lanes are there for
# the index.
_DELETE = "DELETE FROM outbox WHERE lane = ANY($1::smallint[]) AND id = ANY($2::bigint[])"

_DEPTH = "SELECT count(*), coalesce(extract(epoch FROM clock_timestamp() - min(created_at)), 0) FROM outbox"


@dataclass(slots=True)
class RelayCounts:
    """Events since the start of the process."""

    published: int = 0
    failed: int = 0


@dataclass(frozen=True, slots=True)
class OutboxDepth:
    """What waits in the outbox. Alarms go by age: a deep outbox that drains is healthy."""

    rows: int
    oldest_seconds: float


class Relay:
    """Publishes one database's outbox until it is told to stop."""

    def __init__(self, database: Database, publish: Publish, *, batch: int = 1000) -> None:
        """Takes the service's database, how to publish, and how many rows a round moves at most."""
        self._database = database
        self._publish = publish
        self._batch = batch
        self._many = batch // 2
        self._share = LANES
        self._woken = asyncio.Event()
        self.counts = RelayCounts()

    def wake(self) -> None:
        """Starts the next round now: rows have been committed by this process."""
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Publishes until `stop` is set; the round that is running then is finished."""
        idle, trouble, moved = _BUSY_SECONDS[0], Backoff(0.1, 5.0), 0
        while not stop.is_set():
            woken, start = self._woken.is_set(), time.monotonic()
            self._woken.clear()
            try:
                # While rows come, a round finds out by itself whether there are more.
                waits = woken or moved or await self._database.ask(_WAITS)
                moved = await self._move(stop) if waits else 0
            except Exception as error:
                RELAY_FAILURES.inc()
                _log.warning("relay held", error=_name(error), attempts=trouble.attempts + 1)
                await pause(trouble.next(), stop)
                continue
            trouble.reset()
            if not woken:
                # Rows that no wake-up told of come from other processes, which must be looked for.
                least, most = _BUSY_SECONDS
                idle = min(max(least, time.monotonic() - start), most) if moved else min(idle * 2, _IDLE_SECONDS)
            if moved < self._many:
                await pause(idle, self._woken, stop)

    async def _move(self, stop: asyncio.Event) -> int:
        """A round, and if there is a backlog, rounds until there is none; returns and raises like the first."""
        if (moved := await self.round()) >= self._many:
            await side_by_side(*(self._work_off(half, stop) for half in _HALVES))
        return moved

    async def _work_off(self, lanes: Sequence[int], stop: asyncio.Event) -> None:
        """Rounds of these lanes for as long as they move much."""
        while not stop.is_set() and await self.round(lanes) >= self._many:
            pass

    async def round(self, lanes: Sequence[int] = _ALL) -> int:
        """Moves up to a batch; returns the number of rows that are in Kafka and gone from the outbox.

        Raises `NotPublished` if any row did not go out; those that did, up to it in its lane, are gone all the same.
        """
        rows: list[Waiting] = []
        faults: Mapping[int, str] = {}
        try:
            # A delete that a crash of the server undoes repeats events in order, as a crash before it would have.
            async with self._database.transaction(Scope.service(), by_index=True, durable=False) as tx:
                rows = await self._take(tx, lanes)
                if rows and (faults := await self._publish(rows)):
                    raise NotPublished(next(iter(faults.values())))
        except NotPublished:
            self.counts.failed += len(faults)
            await self._delete(delivered(rows, faults))
            raise
        self._count(rows)
        return len(rows)

    async def _take(self, tx: Transaction, lanes: Sequence[int]) -> list[Waiting]:
        """Takes rows out of lanes that have some, and locks these, until the transaction ends.

        Relays that meet on a lane each take fewer, until they work side by side.
        """
        first = random.randrange(len(lanes))  # noqa: S311
        wanted = [*lanes[first:], *lanes[:first]]
        found = [Waiting._make(row) for row in await tx.fetch(_TAKE, wanted, self._share, self._batch)]
        rows = [row for row in found if row.id is not None]
        self._share = min(LANES, self._share * 2) if len(rows) == len(found) else max(1, self._share // 2)
        return sorted(rows)

    async def _delete(self, sent: Sequence[Waiting]) -> None:
        """Takes out what went out before others did not: theirs were taken together, and are all back."""
        if sent:
            async with self._database.transaction(Scope.service(), by_index=True, durable=False) as tx:
                await tx.execute(_DELETE, [row.lane for row in sent], [row.id for row in sent])
            self._count(sent)

    def _count(self, sent: Sequence[Waiting]) -> None:
        self.counts.published += len(sent)
        if sent:
            SENT.inc(len(sent))
            if tracing.recording():
                traces.published(sent)


class NotPublished(Exception):
    """Some rows did not go out; the relay tries them again."""


def delivered(rows: Sequence[Waiting], faults: Mapping[int, str]) -> list[Waiting]:
    """The rows that may be deleted: those that went out, in each lane only up to the first that did not.

    A row that went out after a failed one of its key must go out again after it.
    """
    if not faults:
        return [*rows]
    broken: set[int] = set()
    sent = []
    for place, row in enumerate(rows):
        if place in faults:
            broken.add(row.lane)
        elif row.lane not in broken:
            sent.append(row)
    return sent


async def outbox_depth(tx: Transaction) -> OutboxDepth:
    """How much waits in the outbox, and for how long."""
    row = await tx.fetchrow(_DEPTH)
    return OutboxDepth(row[0], float(row[1])) if row else OutboxDepth(0, 0.0)


def _name(error: Exception) -> str:
    """What to log of an error: never the text of one that may quote data."""
    return str(error) if isinstance(error, (ServiceError, NotPublished)) else type(error).__name__
