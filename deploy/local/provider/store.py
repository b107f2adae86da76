"""What the provider has promised, in SQLite: every call here is one transaction, on the disk when it returns."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.provider.faults import Outcome
from deploy.local.provider.transfers import Json, Order, Transfer

_SCHEMA = """
CREATE TABLE IF NOT EXISTS transfer (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    reference TEXT NOT NULL, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, destination TEXT NOT NULL,
    outcome TEXT NOT NULL, created_at REAL NOT NULL, settles_at REAL NOT NULL, reverses_at REAL NOT NULL,
    came_back_at REAL
);
CREATE INDEX IF NOT EXISTS transfer_reference ON transfer (reference);
CREATE INDEX IF NOT EXISTS transfer_created_at ON transfer (created_at);
CREATE INDEX IF NOT EXISTS transfer_came_back_at ON transfer (came_back_at) WHERE came_back_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY, request BLOB NOT NULL, status INTEGER NOT NULL, body TEXT NOT NULL, stored_at REAL NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL, due_at REAL NOT NULL, delivered_at REAL
);
CREATE INDEX IF NOT EXISTS event_due ON event (due_at) WHERE delivered_at IS NULL;
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body."""

    status: int
    body: Json


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The first answer under a key, and the digest of the request that got it."""

    request: bytes
    answer: Answer


@dataclass(frozen=True, slots=True)
class DueEvent:
    """A webhook to deliver."""

    number: int
    body: str


class Store:
    """One file; not for use from several threads at a time."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")  # the log is flushed at every commit
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside becomes durable at its end, or nothing of it."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def answer(self, key: str, not_before: float) -> StoredAnswer | None:
        """What is stored under the key since then; an older answer is forgotten."""
        self._db.execute("DELETE FROM answer WHERE key = ? AND stored_at < ?", (key, not_before))
        row = self._db.execute("SELECT request, status, body FROM answer WHERE key = ?", (key,)).fetchone()
        return StoredAnswer(row["request"], Answer(row["status"], json.loads(row["body"]))) if row else None

    def keep_answer(self, key: str, request: bytes, answer: Answer, now: float) -> None:
        """Store the first answer under a key."""
        values = (key, request, answer.status, json.dumps(answer.body), now)
        self._db.execute("INSERT INTO answer (key, request, status, body, stored_at) VALUES (?, ?, ?, ?, ?)", values)

    def add_transfer(self, order: Order, outcome: Outcome, created: float, settles: float, reverses: float) -> Transfer:
        """Move the money."""
        draft = Transfer(0, order, outcome, created, settles, reverses)
        money = (order.reference, order.amount_minor, order.currency, order.destination)
        times = (outcome.value, created, settles, reverses, draft.came_back_at())
        sql = """INSERT INTO transfer (reference, amount_minor, currency, destination,
            outcome, created_at, settles_at, reverses_at, came_back_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"""
        number = self._db.execute(sql, (*money, *times)).lastrowid
        assert number is not None
        return Transfer(number, order, outcome, created, settles, reverses)

    def transfer(self, number: int) -> Transfer | None:
        """One transfer."""
        return next(iter(self._transfers("WHERE number = ?", number)), None)

    def with_reference(self, reference: str, made_before: float) -> list[Transfer]:
        """All transfers of a reference made at or before a time, oldest first."""
        return self._transfers("WHERE reference = ? AND created_at <= ? ORDER BY number", reference, made_before)

    def after(self, number: int, limit: int) -> list[Transfer]:
        """The next transfers by age."""
        return self._transfers("WHERE number > ? ORDER BY number LIMIT ?", number, limit)

    def moved_between(self, start: float, end: float) -> list[Transfer]:
        """Transfers whose money went out or came back in [start, end)."""
        where = "WHERE created_at >= ?1 AND created_at < ?2 OR came_back_at >= ?1 AND came_back_at < ?2 ORDER BY number"
        return self._transfers(where, start, end)

    def out(self, currency: str, now: float) -> int:
        """What is out of the provider's balance now, in minor units."""
        sql = """SELECT coalesce(sum(amount_minor), 0) FROM transfer
            WHERE currency = ? AND (came_back_at IS NULL OR came_back_at > ?)"""
        return int(self._db.execute(sql, (currency, now)).fetchone()[0])

    def add_events(self, events: Sequence[tuple[str, float]]) -> None:
        """Remember webhooks: body and time due."""
        self._db.executemany("INSERT INTO event (body, due_at) VALUES (?, ?)", events)

    def due_events(self, now: float, limit: int) -> list[DueEvent]:
        """Undelivered webhooks whose time has come, in that order."""
        sql = "SELECT number, body FROM event WHERE delivered_at IS NULL AND due_at <= ? ORDER BY due_at LIMIT ?"
        return [DueEvent(row["number"], row["body"]) for row in self._db.execute(sql, (now, limit))]

    def event_delivered(self, number: int, now: float) -> None:
        """A webhook was taken."""
        self._db.execute("UPDATE event SET delivered_at = ? WHERE number = ?", (now, number))

    def event_later(self, number: int, due: float) -> None:
        """A webhook was not taken: try again then."""
        self._db.execute("UPDATE event SET due_at = ? WHERE number = ?", (due, number))

    def _transfers(self, where: str, *values: object) -> list[Transfer]:
        return [_transfer(row) for row in self._db.execute(f"SELECT * FROM transfer {where}", values)]  # noqa: S608


def _transfer(row: sqlite3.Row) -> Transfer:
    order = Order(row["reference"], row["amount_minor"], row["currency"], row["destination"])
    outcome = Outcome(row["outcome"])
    return Transfer(row["number"], order, outcome, row["created_at"], row["settles_at"], row["reverses_at"])
