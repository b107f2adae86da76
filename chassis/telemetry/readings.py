"""Gauges read from a service's database every few seconds, so that a scrape asks nothing of it.

Every process of the role `events` reads, so that a gauge is there whichever of them is scraped: take the greatest. What
costs more than an index is read less often. A reading that fails is counted, and its gauges stay as they were: how old
they are, `preceptor_reading_last_success_timestamp_seconds` tells.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeAlias, TypeVar

import structlog
from prometheus_client import Gauge

from chassis.db import Database, Scope, Transaction
from chassis.ops import state
from chassis.ops.waits import Waits
from chassis.telemetry import metrics
from chassis.waiting import pause

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)
_log = structlog.get_logger(__name__)
LONGEST_STATEMENT = timedelta(seconds=2)
"""A statement of a reading that takes longer is given up."""
# Of one gauge, whatever rows there are.
_MOST_SERIES = 500
SELDOM = 12
"""Rounds: with the usual setting, once a minute."""

# A column is of whatever type PostgreSQL gives it.
Rows: TypeAlias = Sequence[Mapping[str, Any]]
Ask: TypeAlias = Callable[[Transaction, C], Awaitable[Rows]]


@dataclass(frozen=True, slots=True)
class Reading(Generic[C_contra]):
    """What is asked, and the gauges that its columns are for, by column; other columns are labels, by their names.

    A gauge without labels takes the first row. `rounds` is how many rounds lie between two readings.
    """

    name: str
    ask: Ask[C_contra]
    gauges: Mapping[str, Gauge]
    rounds: int = 1


def statement(sql: str) -> Callable[[Transaction, object], Awaitable[Rows]]:
    """A reading's question that is one statement."""

    async def ask(tx: Transaction, _: object) -> Rows:
        return [dict(row) for row in await tx.fetch(sql)]

    return ask


async def _held_up(tx: Transaction, _: object) -> Rows:
    return [dict(await state.waiting(tx))]


# Of the service's own role, whose connections alone it may look at.
_DATABASE = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) AS longest,
       count(*) FILTER (WHERE wait_event_type = 'Lock') AS locked
FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
"""

OF_EVERY_SERVICE: Sequence[Reading[object]] = (
    Reading(
        "bus",
        _held_up,
        {
            "outbox": metrics.OUTBOX_EVENTS,
            "oldest": metrics.OUTBOX_AGE,
            "letters": metrics.DEAD_LETTERS,
            "keys": metrics.PARKED_KEYS,
            "events": metrics.PARKED_EVENTS,
            "halves": metrics.LATE_HALVES,
        },
    ),
    Reading("database", statement(_DATABASE), {"longest": metrics.DB_LONGEST, "locked": metrics.DB_LOCKED}),
)
"""What every service's database is asked."""


def of_waits(waits: Waits[C]) -> Reading[C]:
    """What waits at a service, as it tells its operators."""

    async def ask(tx: Transaction, context: C) -> Rows:
        now = datetime.now(UTC)
        return [
            {"what": each.what, "reason": each.reason, "count": each.count, "age": _age(each.oldest, now)}
            for each in await waits(tx, context)
        ]

    return Reading("waiting", ask, {"count": metrics.WAITING, "age": metrics.WAITING_AGE}, SELDOM // 2)


def _age(since: datetime | None, now: datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


async def keep_reading(
    database: Database, readings: Iterable[Reading[C]], context: C, every: timedelta, stop: asyncio.Event
) -> None:
    """Reads until `stop` is set, with `every` between two rounds."""
    kept: list[Reading[C]] = [*readings]
    for reading in kept:
        metrics.READING_FAILURES.labels(reading.name)
    number = 0
    while not stop.is_set():
        for reading in kept:
            if number % reading.rounds == 0 and not stop.is_set():
                await read(database, reading, context)
        number += 1
        await pause(every.total_seconds(), stop)


async def read(database: Database, reading: Reading[C], context: C) -> None:
    """Reads once. What goes wrong is counted and logged, never raised."""
    try:
        async with database.transaction(Scope.service(), statement_timeout=LONGEST_STATEMENT) as tx:
            rows = await reading.ask(tx, context)
        for column, gauge in reading.gauges.items():
            _set(gauge, column, rows)
            metrics.show(gauge)
        metrics.READING_LAST.labels(reading.name).set_to_current_time()
    except Exception as error:
        metrics.READING_FAILURES.labels(reading.name).inc()
        _log.warning("reading failed", reading=reading.name, error=type(error).__name__)


def _set(gauge: Gauge, column: str, rows: Rows) -> None:
    """Gives a gauge the values of a column. Series that no row is for any more go."""
    names = metrics.labels_of(gauge)
    if not names:
        gauge.set(float(rows[0][column] or 0) if rows else 0.0)
        return
    values = {tuple(str(row[name]) for name in names): float(row[column] or 0) for row in rows[:_MOST_SERIES]}
    for labels, value in values.items():
        gauge.labels(*labels).set(value)
    for labels in metrics.series_of(gauge) - values.keys():
        gauge.remove(*labels)
