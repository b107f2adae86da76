"""Password hashes by argon2id: slow and hungry on purpose, so a few threads are shared out fairly (`turns.py`)."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.errors import ResourceExhausted
from chassis.telemetry.metrics import HASHING, HASHING_REFUSED, HASHING_WAIT
from chassis.turns import Line, NoRoom, Place, Turns

T = TypeVar("T")

_ONE_HASH = timedelta(milliseconds=100)


class SignInBusy(ResourceExhausted):
    """Too many people sign in from where you are at this moment: wait as told, then try again. Nobody needs to wait for
    strangers on a device from which they have signed in before.
    """

    reason = "SIGN_IN_BUSY"


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one hash takes: memory in KiB, passes over it, lanes. The defaults are the least that ASVS 5.0 allows."""

    memory_kib: int = 46 * 1024
    passes: int = 1
    lanes: int = 1


class Passwords:
    """Hashes and checks passwords off the event loop."""

    def __init__(self, cost: HashCost, threads: int, queue: int, queue_each: int) -> None:
        """Runs `threads` hashes at a time; `queue` known callers may wait and as many strangers, `queue_each` of one
        source. Hashes once, for accounts that do not exist.
        """
        self._hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
        self._threads = threads
        self._turns = Turns(threads, queue, queue_each)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        # Checked where there is no account: so an unknown address takes as long as a wrong password.
        self.nobodys = self._hasher.hash(secrets.token_urlsafe(32))

    @contextmanager
    def admission(self, line: Line) -> Iterator[Hashing]:
        """A place in the queue, held by the body. Raises `SignInBusy` when there is none, or when it is lost."""
        try:
            with self._turns.place(line) as place:
                yield Hashing(self, place)
        except NoRoom as full:
            HASHING_REFUSED.inc()
            raise SignInBusy(retry_after=_ONE_HASH * (full.waiting // self._threads + 1)) from None

    def outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """Lets running hashes end and drops the others."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def run(self, place: Place, work: Callable[[PasswordHasher], T]) -> T:
        """Does the work in a thread, in its turn. The thread is given on when it has ended, also where nobody waits for
        the result any more: who asks and goes away gets no more than who stays.
        """
        with HASHING.labels("waiting").track_inprogress(), HASHING_WAIT.time():
            await place.turn()
        HASHING.labels("running").inc()
        loop = asyncio.get_running_loop()

        def ended(_: Future[T]) -> None:
            HASHING.labels("running").dec()
            # A loop that has ended has nobody waiting either.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self._turns.done)

        running = self._pool.submit(work, self._hasher)
        running.add_done_callback(ended)
        return await asyncio.wrap_future(running)


@dataclass(frozen=True, slots=True)
class Hashing:
    """What who has a place may have hashed."""

    passwords: Passwords
    place: Place

    async def hash(self, password: str) -> str:
        """The hash of a new password, with its salt and parameters in it."""
        return await self.passwords.run(self.place, lambda hasher: hasher.hash(password))

    async def which_fits(self, known: str | None, spellings: Sequence[str]) -> str | None:
        """The spelling whose hash is known. Without a hash: none, after the same time. Each spelling costs one turn,
        whichever fits: so the time tells nothing but how many there are.
        """
        stored = known or self.passwords.nobodys
        fitting: str | None = None
        for spelling in spellings:
            fits = await self.passwords.run(self.place, partial(_fits, stored, spelling))
            if fits and known is not None:
                fitting = fitting or spelling
        return fitting


def _fits(known: str, password: str, hasher: PasswordHasher) -> bool:
    try:
        return hasher.verify(known, password)
    except (VerificationError, InvalidHashError):
        return False
