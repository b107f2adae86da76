"""Password hashes by argon2id: slow and hungry on purpose, so they run in a few threads and only so many may wait."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from chassis.errors import ResourceExhausted

T = TypeVar("T")

_ONE_HASH = timedelta(milliseconds=100)


class SignInBusy(ResourceExhausted):
    """Too many people sign in at this moment: wait as told, then try again."""

    reason = "SIGN_IN_BUSY"


@dataclass(frozen=True, slots=True)
class HashCost:
    """What one hash takes: memory in KiB, passes over it, lanes. The defaults are the least that ASVS 5.0 allows."""

    memory_kib: int = 46 * 1024
    passes: int = 1
    lanes: int = 1


class Passwords:
    """Hashes and checks passwords off the event loop."""

    def __init__(self, cost: HashCost, threads: int, queue: int) -> None:
        """Runs `threads` hashes at a time and lets `queue` more wait. Hashes once, for accounts that do not exist."""
        self._hasher = PasswordHasher(time_cost=cost.passes, memory_cost=cost.memory_kib, parallelism=cost.lanes)
        self._threads = threads
        self._most = threads + queue
        self._admitted = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        # Checked where there is no account: so an unknown address takes as long as a wrong password.
        self._nobodys = self._hasher.hash(secrets.token_urlsafe(32))

    @contextmanager
    def admission(self) -> Iterator[None]:
        """A place in the queue, to be held around `hash` and `matches`. Raises `SignInBusy` when there is none."""
        if self._admitted >= self._most:
            raise SignInBusy(retry_after=_ONE_HASH * (self._admitted // self._threads + 1))
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    async def hash(self, password: str) -> str:
        """The hash of a new password, with its salt and parameters in it."""
        return await self._in_thread(lambda: self._hasher.hash(password))

    async def matches(self, known: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed. Without a hash: no, after the same time."""
        fits = await self._in_thread(lambda: self._fits(known or self._nobodys, password))
        return fits and known is not None

    def outdated(self, known: str) -> bool:
        """Whether the hash was made with other parameters than those of today."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """Lets running hashes end and drops the others."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _fits(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)
