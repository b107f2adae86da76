"""PostgreSQL: a pool, transactions under a scope of rows, and one way to fail.

A transaction opens in one round trip together with its scope, which row-level security reads. It keeps no state in the
session, so it also works behind a pooler that gives out server connections by transaction.
"""

from __future__ import annotations

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import asyncpg
from google.protobuf.message import Message

from chassis import tracing
from chassis.bus.outbox import EventWriter, OutboxRow, write
from chassis.errors import Aborted, DeadlineExceeded, InvalidArgument, ServiceError, Unavailable
from chassis.plans import PlanAges
from chassis.telemetry.metrics import DB_TIMEOUTS

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

T = TypeVar("T")

Row = asyncpg.Record
"""A row of a query, by column name. Rooms that know nothing of the driver name it so."""

_ATTEMPTS = 6
_FIRST_PAUSE = 0.005
_ACQUIRE_SECONDS = 10.0

_BY_INDEX = "; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_sort = off"
_PLAN_ANEW = "DISCARD PLANS"
_NOT_DURABLE = "; SET LOCAL synchronous_commit = off"

_CONFLICT = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError)
_DOWN = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,
    # The server's farewell has come and the end of the connection not yet: the driver is between two states.
    asyncpg.InternalClientError,
)


class DatabaseUnavailable(Unavailable):
    """The database does not answer for the moment: try again."""

    reason = "DATABASE_UNAVAILABLE"


class DatabaseUntrusted(DatabaseUnavailable):
    """The server where the database should be does not prove by its certificate that it is ours."""

    reason = "DATABASE_UNTRUSTED"


class DatabaseRefused(DatabaseUnavailable):
    """The database does not let the role in: its password is another, or the server wants TLS and the URL does not
    say sslmode=verify-full.
    """

    reason = "DATABASE_REFUSED"


class TransactionConflict(Aborted):
    """Others changed the same rows at the same time: try again."""

    reason = "TRANSACTION_CONFLICT"


class TextUnstorable(InvalidArgument):
    """A text holds a NUL character, which cannot be stored: leave it out."""

    reason = "TEXT_UNSTORABLE"


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows that a transaction may see: all of them, or one vendor's."""

    tenant: UUID | None

    @staticmethod
    def service() -> Scope:
        """All rows: for reactions, timers, staff and experts, whose SQL narrows it down itself."""
        return Scope(None)

    @staticmethod
    def vendor(vendor_id: UUID) -> Scope:
        """One vendor's rows, whatever the SQL says."""
        return Scope(vendor_id)


class Transaction:
    """What a use case, a reaction or a timer works in. Events it emits go out if, and only if, it commits."""

    def __init__(self, conn: Connection, events: EventWriter | None) -> None:
        """Made by `Database.transaction`; `conn` is for what the methods here do not offer, such as COPY."""
        self.conn = conn
        self._events = events
        self.pending: list[OutboxRow] = []
        self.after: list[Callable[[], None]] = []

    async def fetch(self, sql: str, *args: object) -> list[asyncpg.Record]:
        """All rows of a query."""
        return await self.conn.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> asyncpg.Record | None:
        """The first row of a query, if there is one."""
        return await self.conn.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:  # noqa: ANN401
        """The first column of the first row, `None` if there is no row."""
        return await self.conn.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> str:
        """Runs a statement; returns its command tag, like ``UPDATE 3``."""
        return await self.conn.execute(sql, *args)

    def emit(self, *events: Message, traceparent: str | None = None) -> None:
        """Takes events as they are now; they become outbox rows just before the commit.

        By then the rows that they tell of are locked, so that a key's events get their ids in the order of commits.
        They carry on the running trace. A reaction to many events at once has many: it says which by the `traceparent`
        of the event that is the cause. Raises `EventTooLarge`, or `ValueError` for what is no event of this service.
        """
        if self._events is None:
            raise ValueError("this database was opened without an event writer")
        header = tracing.carried(traceparent) if traceparent else tracing.header()
        self.pending += [self._events.row(event, header) for event in events]

    def on_commit(self, do: Callable[[], None]) -> None:
        """Does something after the commit, and only then, such as counting what has happened. It must not raise."""
        self.after.append(do)

    def publish(self, rows: Iterable[OutboxRow]) -> None:
        """Like `emit`, for rows that are made already, such as dead letters."""
        self.pending += rows


class Database:
    """A pool of connections to one service's database, as its application role."""

    def __init__(self, pool: Pool, plans: PlanAges, events: EventWriter | None = None) -> None:
        """Use `Database.connect`. `on_commit_with_events` is called after each commit that left rows in the outbox."""
        self._pool = pool
        self._plans = plans
        self._events = events
        self.on_commit_with_events: Callable[[], None] | None = None
        self.waiting = 0
        """How many transactions wait for a connection now."""

    def connections(self) -> tuple[int, int, int]:
        """How many connections the pool has open, how many of these nobody uses, and how many it opens at most."""
        return self._pool.get_size(), self._pool.get_idle_size(), self._pool.get_max_size()

    @classmethod
    async def connect(
        cls,
        url: str,
        *,
        events: EventWriter | None = None,
        min_size: int = 1,
        max_size: int = 10,
        statement_cache_size: int = 1024,
        application_name: str = "preceptor",
        plans: PlanAges | None = None,
    ) -> Database:
        """Opens a pool. Behind a pooler that does not keep prepared statements, `statement_cache_size` must be 0.

        Raises `DatabaseUnavailable`.
        """
        ages = plans or PlanAges()

        async def opened(conn: asyncpg.Connection[asyncpg.Record]) -> None:
            pid = conn.get_server_pid()
            ages.opened(pid)
            conn.add_termination_listener(lambda _: ages.closed(pid))

        with _reaching():
            pool = await asyncpg.create_pool(
                url,
                min_size=min_size,
                max_size=max_size,
                statement_cache_size=statement_cache_size,
                server_settings={"application_name": application_name},
                init=opened,
                reset=_nothing_to_reset,
            )
        return cls(pool, ages, events)

    async def close(self, within: float = 10.0) -> None:
        """Waits up to `within` seconds for running transactions, then closes all connections."""
        try:
            async with asyncio.timeout(within):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def ping(self) -> None:
        """Returns if the database answers. Raises `DatabaseUnavailable`."""
        async with self.transaction(Scope.service(), statement_timeout=timedelta(seconds=2)) as tx:
            await tx.execute("SELECT 1")

    @asynccontextmanager
    async def transaction(
        self,
        scope: Scope,
        *,
        statement_timeout: timedelta | None = None,
        by_index: bool = False,
        durable: bool = True,
    ) -> AsyncIterator[Transaction]:
        """Runs the body in one transaction: commits at its end, rolls back if it raises.

        `statement_timeout` bounds each statement. `by_index` is for tables that are empty at one moment and huge at the
        next: a plan that was made and kept while there was nothing to read would scan and sort all of it. What is not
        `durable` commits without waiting for the disk: a crash of the server may undo the last of such transactions.

        Raises `DatabaseUnavailable`, `TransactionConflict`, `DeadlineExceeded`; other errors of PostgreSQL, like those
        of constraints, pass through.
        """
        async with self._lent() as conn:
            tx = Transaction(conn, self._events)
            opening = _begin(scope, statement_timeout, by_index, durable)
            if self._plans.are_due(conn.get_server_pid()):
                # By itself: in one round trip with what opens the transaction it would count as its first query.
                await conn.execute(_PLAN_ANEW)
            await conn.execute(opening)
            try:
                yield tx
                if tx.pending:
                    await write(conn, tx.pending)
                await _commit(conn)
            except BaseException:
                await _roll_back(conn)
                raise
        for do in tx.after:
            do()
        if tx.pending and self.on_commit_with_events:
            self.on_commit_with_events()

    async def ask(self, sql: str) -> bool:
        """Yes or no, in one round trip: without a transaction, and so without a scope, about what belongs to no tenant.

        Raises `DatabaseUnavailable`.
        """
        async with self._lent() as conn:
            return bool(await conn.fetchval(sql))

    async def run(
        self,
        scope: Scope,
        work: Callable[[Transaction], Awaitable[T]],
        *,
        statement_timeout: timedelta | None = None,
        by_index: bool = False,
    ) -> T:
        """Does the work in a transaction, again from the start if it loses against another one.

        Raises what `transaction` raises; `TransactionConflict` only after six attempts.
        """
        pause = _FIRST_PAUSE
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._once(scope, work, statement_timeout, by_index)
            except TransactionConflict:
                # Jitter, so that those who met here do not meet again.
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311
                pause *= 2
        return await self._once(scope, work, statement_timeout, by_index)

    @asynccontextmanager
    async def _lent(self) -> AsyncIterator[Connection]:
        """A connection for the body, whose errors of the driver are mapped."""
        conn = await self._acquire()
        try:
            with _translated():
                yield conn
        except DatabaseUnavailable:
            # Whatever is wrong with it, nobody else shall be given it. The pool may have taken it away already.
            with suppress(asyncpg.InterfaceError):
                conn.terminate()
            raise
        finally:
            await self._pool.release(conn)

    async def _acquire(self) -> Connection:
        self.waiting += 1
        try:
            with _reaching():
                return await self._pool.acquire(timeout=_ACQUIRE_SECONDS)
        except DatabaseUnavailable as error:
            if isinstance(error.__cause__, TimeoutError):
                DB_TIMEOUTS.inc()
            raise
        finally:
            self.waiting -= 1

    async def _once(
        self,
        scope: Scope,
        work: Callable[[Transaction], Awaitable[T]],
        statement_timeout: timedelta | None,
        by_index: bool,
    ) -> T:
        async with self.transaction(scope, statement_timeout=statement_timeout, by_index=by_index) as tx:
            return await work(tx)


async def connect_alone(url: str) -> asyncpg.Connection[asyncpg.Record]:
    """A connection outside any pool, for what is done once. Raises `DatabaseUnavailable`."""
    with _reaching():
        return await asyncpg.connect(url)


@contextmanager
def _reaching() -> Iterator[None]:
    """Maps what keeps a connection from being made."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise DatabaseUntrusted from error
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise DatabaseRefused from error
    except (*_DOWN, OSError, TimeoutError) as error:
        raise DatabaseUnavailable from error


async def _nothing_to_reset(_: object) -> None:
    """Saves the round trip of the pool's own reset: transactions leave nothing in the session."""


def _begin(scope: Scope, timeout: timedelta | None, by_index: bool = False, durable: bool = True) -> str:
    """BEGIN and the settings of the transaction as one string, which the server takes in one round trip.

    Such a string takes no parameters. What is put into it is a UUID, a number or
    a trace id, which is hexadecimal by its making, and cannot carry SQL.
    """
    tenant = "*" if scope.tenant is None else str(UUID(int=scope.tenant.int))
    opening = "BEGIN; SET LOCAL preceptor.tenant = '" + tenant + "'"
    if span := tracing.current():
        opening += "; SET LOCAL preceptor.trace = '" + span.trace_id + "'"
    if timeout is not None:
        opening += "; SET LOCAL statement_timeout = " + str(max(1, int(timeout.total_seconds() * 1000)))
    return opening + (_BY_INDEX if by_index else "") + ("" if durable else _NOT_DURABLE)


async def _commit(conn: Connection) -> None:
    """Commits, and notices when the server rolls back instead, as it does after an error that the body swallowed."""
    if await conn.execute("COMMIT") != "COMMIT":
        raise RuntimeError("the transaction had failed before its commit: an error of the database was swallowed")


async def _roll_back(conn: Connection) -> None:
    if not conn.is_closed():
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            await conn.execute("ROLLBACK")


@contextmanager
def _translated() -> Iterator[None]:
    """Maps errors of the driver to the tree of errors."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
        if known := _known(error):
            raise known from error
        raise


def _known(error: Exception) -> ServiceError | None:
    """The service error that an error of the driver means, if any.

    Messages of the driver are left out: they may quote the row.
    """
    if isinstance(error, _CONFLICT):
        return TransactionConflict()
    if isinstance(error, asyncpg.QueryCanceledError):
        return DeadlineExceeded()
    if isinstance(error, (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)):
        return TextUnstorable()
    lost = isinstance(error, asyncpg.InterfaceError) and "closed" in str(error)
    return DatabaseUnavailable() if lost or isinstance(error, _DOWN) else None
