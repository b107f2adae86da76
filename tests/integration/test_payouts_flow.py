"""Payouts on a real database: from a reserve to a settled payout, with the ledger proved at the end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from preceptor.payouts.v1 import events_pb2

from tests.support.databases import Databases
from tests.support.payouts import Market, completed, decided, open_market


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        yield opened


async def test_an_accepted_answer_is_paid_and_the_rest_of_the_reserve_comes_back(market: Market) -> None:
    await market.open(deposit=100_000)
    expert = await market.expert()
    batch = await market.batch(answers=10)
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == 100_000 - 12_000
    answers = [market.answer(batch, expert) for _ in range(3)]
    await market.react(*answers)
    await market.react(*(decided(answer) for answer in answers))
    assert await market.stages(expert) == (3000, 0, 0)
    await market.react(completed(batch, market.vendor_id, 3))
    assert await market.balance(f"batch:{batch}:reserve") == 0
    assert await market.balance(f"vendor:{market.vendor_id}:prefund") == 100_000 - 3600
    assert await market.release() == 3
    assert await market.gather() == 1
    assert await market.stages(expert) == (0, 0, 3000)
    assert await market.send() == 1
    assert await market.stages(expert) == (0, 0, 0)
    assert await market.balance("provider:double:clearing") == 3000
    [settled] = await market.events(events_pb2.PayoutSettled)
    assert (settled.expert_id, settled.amount_minor, settled.currency) == (str(expert), 3000, "USD")
    assert {row["state"] for row in await market.fetch("SELECT state FROM earning")} == {"SETTLED"}
    assert await market.findings() == ()
