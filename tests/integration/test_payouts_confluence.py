"""In whatever order the halves of pay lines come, and however often: the same money, and a sound ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import pytest_asyncio
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from preceptor.payouts.v1.events_pb2 import BudgetReleased
from preceptor.tasking.v1 import events_pb2 as tasking

from chassis.money import part, share
from tests.support.databases import Databases
from tests.support.payouts import Market, completed, decided, open_market

ANSWERS = 4
REJECTED, PARTIAL, FULL = 0, 3333, 10_000


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open(deposit=10_000_000)
        yield opened


# What is decided about each answer, version by version. A later verdict is higher, or a person's.
verdicts = st.lists(
    st.lists(st.sampled_from([REJECTED, PARTIAL, FULL]), min_size=1, max_size=3), min_size=ANSWERS, max_size=ANSWERS
)


seconds = st.lists(st.integers(1, 100), max_size=3)


@given(verdicts, seconds, st.data())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_orders_and_repeats_of_events_do_not_matter(
    market: Market, verdicts: list[list[int]], seconds: list[int], data: st.DataObject
) -> None:
    expert = await market.expert()
    batch = await market.batch(answers=ANSWERS + 2, times=len(seconds))
    answers = [market.answer(batch, expert) for _ in verdicts]
    times = [market.time(batch, expert, worked) for worked in seconds]
    events = [*answers, *times, completed(batch, market.vendor_id, ANSWERS, len(times))]
    for answer, versions in zip(answers, verdicts, strict=True):
        events += [
            decided(answer, payable, version, tasking.DECIDED_BY_PERSON) for version, payable in enumerate(versions, 1)
        ]
    await apply(market, data.draw(st.permutations(events + events[: data.draw(st.integers(0, len(events)))])), data)
    paid_times = [part(1000, worked, 100) for worked in seconds]
    await expect(market, expert, batch, [share(1000, versions[-1]) for versions in verdicts], paid_times)


async def apply(market: Market, events: list[Message], data: st.DataObject) -> None:
    """In transactions of any size."""
    while events:
        size = data.draw(st.integers(1, len(events)))
        await market.react(*events[:size])
        events = events[size:]


async def expect(market: Market, expert: UUID, batch: UUID, paid: list[int], times: list[int]) -> None:
    fees = sum(share(amount, 2000) for amount in paid)
    assert await market.stages(expert) == (sum(paid) + sum(times), 0, 0)
    assert await market.balance(f"batch:{batch}:reserve") == ANSWERS * 1200 - sum(paid) - fees
    [reserve] = await market.fetch("SELECT decided, times, released FROM reserve WHERE batch_id = $1", batch)
    rest = sum(1200 - amount - share(amount, 2000) for amount in times)
    assert (reserve["decided"], reserve["times"], reserve["released"]) == (ANSWERS, len(times), 2400 + rest)
    told = [event.released_minor for event in await market.events(BudgetReleased) if event.batch_id == str(batch)]
    assert told == [2400 + rest]
    assert await market.findings() == ()
