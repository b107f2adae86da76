"""The attempt protocol against the provider double, which loses replies, refuses, breaks and forgets keys by seed."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from chassis.ids import new_id
from deploy.local.ports import free_port
from deploy.local.provider.faults import PRESETS, Rates
from deploy.local.provider.serving import secret_in, serving
from deploy.local.provider.settings import Behaviour
from services.payouts.domain.rail import Order, RailFacts, Refused, Taken, TransferState, Unclear, new_reference
from services.payouts.rails.http_rail import HttpRail
from services.payouts.rails.rail import RailUnavailable, clock
from tests.support.databases import Databases
from tests.support.payouts import Market, open_market

KEY_TTL = timedelta(seconds=3)
FACTS = RailFacts("double", KEY_TTL, True, timedelta(0))


@dataclass(frozen=True)
class Provider:
    """The double, and the rail to it."""

    rail: HttpRail
    session: aiohttp.ClientSession

    async def transfers(self) -> list[dict[str, object]]:
        """The provider's own list."""
        async with self.session.get("/v1/transfers?limit=1000") as response:
            found: list[dict[str, object]] = json.loads(await response.text())["data"]
            return found


@asynccontextmanager
async def provider(folder: Path, behaviour: Behaviour, patience: float = 0.5) -> AsyncIterator[Provider]:
    token = folder / "token"
    async with serving(free_port(), folder, behaviour, token) as url:
        headers = {"Authorization": f"Bearer {secret_in(token)}"}
        async with aiohttp.ClientSession(url, headers=headers) as session:
            yield Provider(HttpRail(session, FACTS, timedelta(seconds=patience)), session)


def order(**changes: object) -> Order:
    return replace(Order(new_id(), new_reference(), 1250, "EUR", "acct_7"), **changes)  # type: ignore[arg-type]


async def test_a_statement_that_pads_our_references_or_lowers_them_shows_them_all_the_same() -> None:
    shown = new_reference()

    async def statements(_: web.Request) -> web.Response:
        return web.json_response({"period_seconds": 60, "newest_closed": "20260301T000000Z"})

    async def statement(_: web.Request) -> web.Response:
        return web.json_response({"lines": [{"reference": f" {shown.lower()}  "}]})

    app = web.Application()
    app.add_routes([web.get("/v1/statements", statements), web.get("/v1/statements/{period}", statement)])
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        day = datetime(2026, 2, 1, tzinfo=UTC)
        assert await HttpRail(session, FACTS, timedelta(seconds=60)).references(day, day) == {shown}


def soon() -> float:
    return clock() + 5


async def test_a_sent_order_is_taken_once_and_found_by_its_reference(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour()) as double:
        sent = order()
        taken = [await double.rail.send(sent, soon()) for _ in range(2)]
        assert isinstance(taken[0], Taken)
        assert taken[0] == taken[1] == await double.rail.find(sent)
        assert await double.rail.look(taken[0].provider_id, sent) == taken[0]
        assert taken[0].state is TransferState.PAID
        assert len(await double.transfers()) == 1


async def test_nothing_is_written_from_the_deadline_on(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour()) as double:
        assert await double.rail.send(order(), clock()) == Unclear("too late to send")
        assert await double.transfers() == []


async def test_no_reply_is_awaited_past_the_deadline(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates(slow=1), slow_seconds=5), patience=60) as double:
        before = clock() + 0.3
        assert isinstance(await double.rail.send(order(), before), Unclear)
        assert clock() - before < 2


@pytest.mark.parametrize("fault", ["throttled", "unavailable", "stored_error", "moved_error", "lost_reply", "slow"])
async def test_a_fault_is_unclear(tmp_path: Path, fault: str) -> None:
    async with provider(tmp_path, Behaviour(rates=Rates(**{fault: 1}))) as double:
        assert isinstance(await double.rail.send(order(), soon()), Unclear)


async def test_a_refusal_is_definite_and_a_reused_key_is_not(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(minimum_amount=1000)) as double:
        assert await double.rail.send(order(amount=999), soon()) == Refused("amount_too_small")
        first = order()
        await double.rail.send(first, soon())
        assert isinstance(await double.rail.send(replace(first, amount=1251), soon()), Unclear)


async def test_a_transfer_that_was_never_ordered_is_unclear(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour()) as double:
        sent = order()
        await double.rail.send(sent, soon())
        assert isinstance(await double.rail.find(replace(sent, amount=1)), Unclear)


async def test_a_statement_tells_only_when_it_is_closed(tmp_path: Path) -> None:
    async with provider(tmp_path, Behaviour(period_length=3600, statement_lag=1)) as double:
        now = datetime.now(UTC)
        assert await double.rail.references(now, now) is None
        assert await double.rail.references(now - timedelta(hours=5), now - timedelta(hours=3)) == set()


async def test_a_provider_that_is_away_is_unavailable_for_looking_and_unclear_for_sending() -> None:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{free_port()}") as session:
        rail = HttpRail(session, FACTS, timedelta(seconds=1))
        assert isinstance(await rail.send(order(), soon()), Unclear)
        with pytest.raises(RailUnavailable):
            await rail.find(order())


TROUBLED = "SELECT FROM attempt WHERE tries > 0 OR n > 1"
EXPERTS = 15
PATIENCE = 60.0
UNPAID = """
SELECT FROM earning e WHERE state <> 'SETTLED' AND NOT EXISTS (
    SELECT FROM instrument i WHERE i.expert_id = e.expert_id AND i.failure_code IS NOT NULL)
"""
PAID_TWICE = """
SELECT FROM payout_item i JOIN payout p ON p.id = i.payout_id AND p.state = 'PAID'
GROUP BY i.earning_id HAVING count(*) > 1
"""


async def test_a_hostile_provider_pays_everybody_exactly_once(databases: Databases, tmp_path: Path) -> None:
    # What comes back after it was paid is not booked yet.
    rates = replace(PRESETS["hostile"], returned=0, paid_then_failed=0, stored_error=0.1, moved_error=0.1)
    hostile = Behaviour(seed=2, rates=rates, key_ttl=3.0, settle_after=0.2, slow_seconds=0.4, period_length=1)
    short, second = timedelta(seconds=0.05), timedelta(seconds=1)
    quick = {"send_window": timedelta(seconds=0.3), "retry_delay": short, "check_delay": short, "run_interval": second}
    async with (
        provider(tmp_path, hostile, patience=0.2) as double,
        open_market(databases, double.rail, **quick) as market,
    ):
        await market.open()
        # What befalls a payout is drawn by its id, which is new in each run: now and then fifteen are spared.
        for _ in range(10):
            for expert in [await market.expert() for _ in range(EXPERTS)]:
                await market.earn(expert)
            await until_ended(market)
            if await market.fetch(TROUBLED):
                break
        await expect_paid_once(market, double)


async def until_ended(market: Market) -> None:
    """Runs the timers until nothing is on its way; whose instrument was refused is left."""
    deadline = time.monotonic() + PATIENCE
    while await market.fetch(UNPAID):
        assert time.monotonic() < deadline, await market.fetch("SELECT state, count(*) FROM attempt GROUP BY 1")
        await market.gather()
        if not await market.send() + await market.check():
            await asyncio.sleep(0.02)


async def expect_paid_once(market: Market, double: Provider) -> None:
    moved = Counter(str(t["reference"]) for t in await double.transfers() if t["state"] == "paid")
    settled = await market.fetch("SELECT reference FROM attempt WHERE state = 'PAID'")
    assert moved == Counter(row["reference"] for row in settled)
    assert set(moved.values()) == {1}
    assert await market.fetch(PAID_TWICE) == []
    assert await market.balance("provider:double:clearing") == 2000 * len(settled)
    assert await market.fetch(TROUBLED), "the double was not hostile"
    assert await market.findings() == ()
