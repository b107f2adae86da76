"""Half-joins on a real PostgreSQL: either order, several versions, two at the same moment.

The example is that of payouts: terms come once with an answer, verdicts on it in several versions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from chassis.bus.halves import Half, Pair, join, join_versions, overdue
from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id

Told = list[tuple[UUID, bytes, bytes]]


async def terms(database: Database, *halves: Half) -> Told:
    """What an answer's arrival completes: (answer, terms, verdict). Terms may wait for days."""
    async with database.transaction(Scope.service()) as tx:
        return told(await join_versions(tx, "payable", "terms", "verdict", halves, patient=True))


async def verdicts(database: Database, *halves: Half) -> Told:
    """What verdicts complete: (answer, verdict, terms)."""
    async with database.transaction(Scope.service()) as tx:
        return told(await join_versions(tx, "payable", "verdict", "terms", halves))


def told(pairs: Sequence[Pair]) -> Told:
    return [(pair.mine.key, pair.mine.payload, pair.other.payload) for pair in pairs]


async def test_the_first_half_waits_and_the_second_completes_it(payouts_database: Database) -> None:
    a, b, c = sorted(new_id() for _ in range(3))
    assert await terms(payouts_database, Half(a, b"terms a"), Half(b, b"terms b"), Half(c, b"terms c")) == []
    assert await verdicts(payouts_database, Half(b, b"yes", 1), Half(a, b"no", 1)) == [
        (a, b"no", b"terms a"),
        (b, b"yes", b"terms b"),
    ]


async def test_the_other_order_completes_every_version_that_waits(payouts_database: Database) -> None:
    answer = new_id()
    assert await verdicts(payouts_database, Half(answer, b"no", 1)) == []
    assert await verdicts(payouts_database, Half(answer, b"yes", 2)) == []
    completed = await terms(payouts_database, Half(answer, b"terms"))
    assert completed == [(answer, b"terms", b"no"), (answer, b"terms", b"yes")]


async def test_a_later_version_meets_the_half_that_stayed(payouts_database: Database) -> None:
    answer = new_id()
    await terms(payouts_database, Half(answer, b"terms"))
    assert await verdicts(payouts_database, Half(answer, b"no", 1)) == [(answer, b"no", b"terms")]
    assert await verdicts(payouts_database, Half(answer, b"yes", 2), Half(answer, b"less", 3)) == [
        (answer, b"yes", b"terms"),
        (answer, b"less", b"terms"),
    ]


async def test_what_comes_again_completes_nothing_again(payouts_database: Database) -> None:
    answer = new_id()
    for _ in range(2):
        await terms(payouts_database, Half(answer, b"terms"))
    assert len(await verdicts(payouts_database, Half(answer, b"yes", 1), Half(answer, b"yes", 1))) == 1
    assert await verdicts(payouts_database, Half(answer, b"yes", 1)) == []
    assert await terms(payouts_database, Half(answer, b"other terms")) == []


async def test_halves_that_come_at_the_same_moment_meet(payouts_database: Database) -> None:
    keys = [new_id() for _ in range(50)]
    both = await asyncio.gather(
        terms(payouts_database, *(Half(key, b"terms") for key in keys)),
        verdicts(payouts_database, *(Half(key, b"yes", 1) for key in reversed(keys))),
    )
    assert sorted(key for completed in both for key, _, _ in completed) == keys


async def test_the_second_side_waits_for_the_first_one_to_commit(payouts_database: Database) -> None:
    answer = new_id()
    async with payouts_database.transaction(Scope.service()) as tx:
        await join_versions(tx, "payable", "terms", "verdict", [Half(answer, b"terms")])
        second = asyncio.ensure_future(verdicts(payouts_database, Half(answer, b"yes", 1)))
        done, _ = await asyncio.wait([second], timeout=0.1)
        assert not done
    assert await second == [(answer, b"yes", b"terms")]


async def test_joins_of_another_name_do_not_meet(payouts_database: Database) -> None:
    key = new_id()
    async with payouts_database.transaction(Scope.service()) as tx:
        assert await join(tx, "one", "left", "right", {key: b"l"}) == {}
        assert await join(tx, "two", "right", "left", {key: b"r"}) == {}
        assert await join(tx, "one", "right", "left", {key: b"r"}) == {key: (b"r", b"l")}


async def late(tx: Transaction) -> dict[str, int]:
    return {found.join: found.keys for found in await overdue(tx, timedelta(hours=1))}


async def test_only_what_waits_too_long_for_a_partner_that_is_due_raises_the_alarm(payouts_database: Database) -> None:
    patient, lonely, met = new_id(), new_id(), new_id()
    await terms(payouts_database, Half(patient, b"terms"), Half(met, b"terms"))
    await verdicts(payouts_database, Half(lonely, b"yes", 1), Half(met, b"yes", 1))
    async with payouts_database.transaction(Scope.service()) as tx:
        assert await late(tx) == {}
        await tx.execute("UPDATE half_join SET late_since = late_since - interval '2 hours'")
        assert await late(tx) == {"payable": 1}
    await terms(payouts_database, Half(lonely, b"terms"))
    async with payouts_database.transaction(Scope.service()) as tx:
        assert await late(tx) == {}
