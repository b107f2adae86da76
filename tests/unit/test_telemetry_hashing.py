"""The queue of password hashes says how long it is, how long one waits in it, and whom it had no place for."""

from __future__ import annotations

import asyncio
import threading

import pytest
from argon2 import PasswordHasher

from chassis.passwords import HashCost, Passwords, SignInBusy
from chassis.turns import Line
from tests.support.bus import eventually
from tests.support.metrics import rising, value

CHEAP = HashCost(memory_kib=64)


def queue() -> tuple[float, float]:
    return value("preceptor_hashing_queue", state="running"), value("preceptor_hashing_queue", state="waiting")


async def test_who_hashes_and_who_waits_for_it_is_told() -> None:
    passwords, release = Passwords(CHEAP, 1, 4, 4), threading.Event()

    def slow(_: PasswordHasher) -> bool:
        return release.wait(120)

    async def hashed() -> bool:
        with passwords.admission(Line(known=False, source="here")) as hashing:
            return await passwords.run(hashing.place, slow)

    async def two_of_three_wait() -> bool:
        return queue() == (1, 2)

    with rising("preceptor_hashing_wait_seconds_count") as turns:
        both = [asyncio.ensure_future(hashed()) for _ in range(3)]
        await eventually(two_of_three_wait)
        release.set()
        assert await asyncio.gather(*both) == [True] * 3
        assert (turns(), queue()) == (3, (0, 0))
    passwords.close()


async def test_who_gets_no_place_is_counted() -> None:
    passwords = Passwords(CHEAP, 1, 1, 1)
    line = Line(known=False, source="here")
    with rising("preceptor_hashing_refused_total") as refused, passwords.admission(line):
        with pytest.raises(SignInBusy), passwords.admission(line):
            pass
        assert refused() == 1
    passwords.close()
