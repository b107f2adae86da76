"""Takes attempts that are due, by a lease in their rows, and gives them as orders."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import structlog
from asyncpg import Record

from chassis.vault import Vault, VaultError
from services.payouts.domain.attempt import AttemptState
from services.payouts.domain.rail import Order
from services.payouts.usecases.instruments import destination

T = TypeVar("T")
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt in hand. `before` is its last moment to send, on our own clock."""

    id: UUID
    state: AttemptState
    order: Order
    before: float
    first_sent_at: datetime
    send_before: datetime
    provider_id: str | None
    may_send: bool


def claimed(vault: Vault, rows: Iterable[Record], asked_at: float) -> list[Claimed]:
    """Attempts whose rows were leased. `asked_at` is when the lease was asked for, on our own clock.

    One whose destination does not open, or is not what it was made for, is left out: nothing may be sent under its key.
    """
    found = []
    for row in rows:
        try:
            order = Order(row["idem_key"], row["reference"], row["amount"], row["currency"], destination(vault, row))
        except VaultError:
            order = None
        if order is None or order.body_hash() != row["body_hash"]:
            _log.error("an attempt is not what it was made for", attempt_id=row["id"])
            continue
        found.append(_claimed(row, order, asked_at))
    return found


def _claimed(row: Record, order: Order, asked_at: float) -> Claimed:
    # Deadlines go by database time: ours is counted from before we asked, so that it can only be too early.
    before = asked_at + (row["send_before"] - row["now"]).total_seconds()
    times = row["first_sent_at"], row["send_before"]
    return Claimed(row["id"], AttemptState(row["was"]), order, before, *times, row["provider_id"], row["may_send"])


async def side_by_side(work: Iterable[Callable[[], Awaitable[T]]], at_once: int) -> list[T]:
    """Does pieces of work, at most so many at a time; gives their results in order."""
    room = asyncio.Semaphore(at_once)

    async def one(piece: Callable[[], Awaitable[T]]) -> T:
        async with room:
            return await piece()

    return list(await asyncio.gather(*(one(piece) for piece in work)))
