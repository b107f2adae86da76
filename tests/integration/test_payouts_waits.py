"""Whatever waits says for what: in the expert's line, in `status`, in `trace`, and in the log of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, MutableMapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from google.type.money_pb2 import Money
from preceptor.payouts.v1 import earning_pb2 as pb
from preceptor.payouts.v1 import funding_pb2

from chassis.ops.waits import Waiting
from chassis.rpc.call import Caller
from services.payouts.api import earning, funding
from services.payouts.domain.rail import Refused, Taken, TransferState, Unclear
from services.payouts.rails.http_rail import HttpRail
from services.payouts.usecases.instruments import set_instrument
from services.payouts.usecases.trace_task import trace_task
from services.payouts.usecases.waits import waits_in_all
from tests.support.databases import Databases
from tests.support.logs import logged
from tests.support.payouts import FACTS, Market, ScriptedRail, decided, expert_changed, open_market, vendor_changed

DAY = timedelta(days=1)
LONG = timedelta(days=3650)


@pytest.fixture
def rail() -> ScriptedRail:
    return ScriptedRail()


@pytest_asyncio.fixture
async def market(databases: Databases, rail: ScriptedRail) -> AsyncIterator[Market]:
    async with open_market(databases, rail) as opened:
        await opened.open()
        yield opened


async def lines(market: Market, expert: UUID) -> list[pb.Earning]:
    me = Caller(expert, "expert", frozenset({"EXPERT"}), expert, expert, expert_id=expert)
    return list(
        (await market.call(earning.list_earnings, pb.ListEarningsRequest(parent=f"experts/{expert}"), me)).earnings
    )


async def reasons(market: Market, expert: UUID) -> list[str]:
    """For what the expert's lines wait, each reason once."""
    told = [pb.WaitReason.Name(wait.reason) for line in await lines(market, expert) for wait in line.waits]
    return [reason.removeprefix("WAIT_REASON_") for reason in dict.fromkeys(told)]


async def in_status(market: Market) -> dict[tuple[str, str], Waiting]:
    waiting = await market.run(lambda tx: waits_in_all(tx, market.context))
    assert all(each.way_out and each.oldest and each.count for each in waiting)
    return {(each.what, each.reason): each for each in waiting}


async def in_trace(market: Market) -> list[tuple[str, str]]:
    """The waiting steps of all tasks: what and with which details."""
    tasks = await market.fetch("SELECT DISTINCT task_id FROM earning")
    found = []
    for row in tasks:
        steps = await market.run(lambda tx, id_=row["task_id"]: trace_task(tx, market.context, id_))  # type: ignore[misc]
        found += [(step.kind, step.detail) for step in steps if step.waits]
    return found


async def told_everywhere(market: Market, expert: UUID, reason: str, what: str = "earnings") -> pb.Wait:
    """Asserts that line, status and trace say it; gives what the line says."""
    assert reason in await reasons(market, expert)
    assert (what, reason) in await in_status(market)
    words = f"money waits: {reason.lower().replace('_', ' ')}"
    assert words in [kind for kind, _ in await in_trace(market)]
    [wait] = [
        wait for wait in (await lines(market, expert))[0].waits if pb.WaitReason.Name(wait.reason).endswith(reason)
    ]
    assert wait.text
    assert wait.way_out
    assert wait.HasField("since_time")
    return wait


async def test_an_earning_of_an_expert_without_an_account_in_its_currency_says_so(market: Market) -> None:
    expert = await market.expert(instrument=False)
    await market.run(lambda tx: set_instrument(tx, market.context, expert, "EUR", "acct-in-euros"))
    await market.earn(expert)
    await market.gather()
    wait = await told_everywhere(market, expert, "NO_INSTRUMENT")
    assert not wait.HasField("until_time")
    await market.run(lambda tx: set_instrument(tx, market.context, expert, "USD", "acct-in-dollars"))
    assert await reasons(market, expert) == ["NEXT_RUN"]


async def test_a_sum_below_the_minimum_says_what_is_missing(databases: Databases) -> None:
    async with open_market(databases, minimum_payout_minor=5000) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        await market.gather()
        wait = await told_everywhere(market, expert, "BELOW_MINIMUM")
        assert wait.missing == Money(currency_code="USD", units=30)


async def test_an_expert_who_may_not_be_paid_any_more_is_told(market: Market) -> None:
    expert = await market.expert()
    await market.earn(expert)
    await market.react(expert_changed(expert, 2, eligible=False))
    await market.gather()
    await told_everywhere(market, expert, "NOT_ELIGIBLE")


async def test_a_refused_account_is_told_with_the_providers_code_and_a_changed_one_until_when(
    databases: Databases, rail: ScriptedRail
) -> None:
    async with open_market(databases, rail, run_interval=LONG) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        await market.fetch("UPDATE earning SET payable_at = '2020-01-01'")
        rail.script = [Refused("account_closed")]
        assert await market.gather() == 1
        await market.send()
        wait = await told_everywhere(market, expert, "INSTRUMENT_REFUSED")
        assert wait.code == "account_closed"
        await market.run(lambda tx: set_instrument(tx, market.context, expert, "USD", "acct-new"))
        wait = await told_everywhere(market, expert, "INSTRUMENT_COOLING_OFF")
        assert wait.until_time.ToDatetime(UTC) > datetime.now(UTC)


async def test_held_lines_tell_their_holds_with_their_ends_and_what_the_expert_can_do_meanwhile(
    databases: Databases,
) -> None:
    async with open_market(databases, review_window=DAY, first_payout_hold=2 * DAY) as market:
        await market.open()
        expert = await market.expert(instrument=False)
        await market.earn(expert, answers=1)
        assert await reasons(market, expert) == ["FIRST_PAYOUT_HOLD", "REVIEW_WINDOW", "NO_INSTRUMENT"]
        [line] = await lines(market, expert)
        first, second, _ = line.waits
        assert first.until_time == line.hold_until
        assert first.until_time.seconds - second.until_time.seconds == DAY.total_seconds()
        assert (await in_status(market))["earnings", "FIRST_PAYOUT_HOLD"].count == 1
        assert [kind for kind, _ in await in_trace(market)] == [
            "money waits: first payout hold",
            "money waits: review window",
            "money waits: no instrument",
        ]


async def test_lines_of_a_suspended_vendor_are_told_apart(databases: Databases) -> None:
    async with open_market(databases, review_window=DAY, first_payout_hold=2 * DAY) as market:
        await market.open()
        expert, batch = await market.expert(), await market.batch()
        await market.react(vendor_changed(market.vendor_id, 2, active=False))
        answer = market.answer(batch, expert)
        await market.react(answer, decided(answer))
        wait = await told_everywhere(market, expert, "VENDOR_NOT_ACTIVE")
        assert wait.HasField("until_time")


async def test_what_is_payable_says_when_the_next_run_is(databases: Databases) -> None:
    async with open_market(databases, run_interval=LONG) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        wait = await told_everywhere(market, expert, "NEXT_RUN")
        assert timedelta(0) < wait.until_time.ToDatetime(UTC) - datetime.now(UTC) < LONG


async def test_money_that_the_platform_does_not_send_says_so(databases: Databases) -> None:
    async with open_market(databases, sending=False) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        await market.gather()
        await told_everywhere(market, expert, "SENDING_STOPPED", "payouts at double")


async def test_what_a_provider_is_processing_is_told_until_it_is_paid(market: Market, rail: ScriptedRail) -> None:
    expert = await market.expert()
    await market.earn(expert)
    await market.gather()
    assert await reasons(market, expert) == ["BEING_SENT"]
    rail.script = [Taken("tr_1", TransferState.PROCESSING)]
    await market.send()
    await told_everywhere(market, expert, "PROVIDER_PROCESSING", "payouts at double")
    await market.check()
    assert await reasons(market, expert) == []
    assert await in_status(market) == {}
    assert await in_trace(market) == []


async def payouts(market: Market, expert: UUID) -> list[pb.Payout]:
    me = Caller(expert, "expert", frozenset({"EXPERT"}), expert, expert, expert_id=expert)
    return list(
        (await market.call(earning.list_payouts, pb.ListPayoutsRequest(parent=f"experts/{expert}"), me)).payouts
    )


async def look_again(market: Market) -> None:
    await market.fetch("UPDATE attempt SET due_at = now()")
    await market.check()


@asynccontextmanager
async def hanging_provider() -> AsyncIterator[HttpRail]:
    """A real server that takes each request and never answers."""
    closing = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await closing.wait()
        return web.Response()

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", hang)
    async with TestServer(app) as server, aiohttp.ClientSession(server.make_url("/")) as session:
        yield HttpRail(session, FACTS, timedelta(seconds=0.1))
        closing.set()


async def test_a_provider_that_hangs_is_seen_since_when_and_logged_once(databases: Databases) -> None:
    async with hanging_provider() as rail, open_market(databases, rail, send_window=timedelta(seconds=30)) as market:
        await market.open()
        experts = [await market.expert() for _ in range(3)]
        for expert in experts:
            await market.earn(expert)
        await market.gather()
        before = datetime.now(UTC)
        with logged() as logs:
            await market.send()
            for _ in range(3):
                await look_again(market)
        wait = await told_everywhere(market, experts[0], "PROVIDER_UNKNOWN", "payouts at double")
        waiting = (await in_status(market))["payouts at double", "PROVIDER_UNKNOWN"]
        assert waiting.count == 3
        assert waiting.oldest is not None
        assert before - timedelta(seconds=1) < waiting.oldest <= datetime.now(UTC) + timedelta(seconds=1)
        assert wait.since_time.ToDatetime(UTC) >= waiting.oldest
        assert any("(TimeoutError)" in detail for _, detail in await in_trace(market))
        warnings = [log for log in logs if log["log_level"] == "warning"]
        assert [(log["event"], log["attempts"], log["why"]) for log in warnings] == [
            ("the provider leaves payouts unclear", 3, "TimeoutError")
        ]
        [payout] = await payouts(market, experts[0])
        assert payout.wait.since_time == wait.since_time


async def test_a_provider_that_falls_silent_after_it_took_the_money_is_seen_and_so_is_its_return(
    market: Market, rail: ScriptedRail
) -> None:
    expert = await market.expert()
    await market.earn(expert)
    await market.gather()
    taken = Taken("tr_1", TransferState.PROCESSING)
    rail.script = [taken, Unclear("RAIL_UNAVAILABLE"), Unclear("RAIL_UNAVAILABLE"), taken]
    with logged() as logs:
        await market.send()
        await look_again(market)
        since = (await told_everywhere(market, expert, "PROVIDER_SILENT", "payouts at double")).since_time
        await look_again(market)
        assert (await told_everywhere(market, expert, "PROVIDER_SILENT", "payouts at double")).since_time == since
        await look_again(market)
    assert await reasons(market, expert) == ["PROVIDER_PROCESSING"]
    assert [log["event"] for log in logs] == [
        "the provider leaves payouts unclear",
        "the provider has made payouts clear",
    ]


def runs(logs: Iterable[MutableMapping[str, Any]]) -> list[tuple[str, int, dict[str, int]]]:
    return [(log["log_level"], log["payouts"], log["left_out"]) for log in logs if log["event"] == "payout run"]


async def test_a_run_tells_whom_it_leaves_out_and_why_once_not_at_each_look(market: Market) -> None:
    paid, without = await market.expert(), await market.expert(instrument=False)
    for expert in (paid, without):
        await market.earn(expert)
    with logged() as logs:
        for _ in range(4):
            await market.gather()
    assert runs(logs)[-1] == ("warning", 0, {"NO_INSTRUMENT": 2})
    assert len(runs(logs)) <= 2  # the run that made a payout, and the first one after it
    await market.run(lambda tx: set_instrument(tx, market.context, without, "USD", "acct-late"))
    with logged() as logs:
        for _ in range(3):
            await market.gather()
    assert [left_out for _, _, left_out in runs(logs)][-1] == {}


async def test_a_run_tells_that_the_provider_hangs(market: Market, rail: ScriptedRail) -> None:
    expert = await market.expert()
    await market.earn(expert)
    await market.gather()
    rail.script = [Unclear("TimeoutError")]
    await market.send()
    with logged() as logs:
        await market.gather()
    [run] = [log for log in logs if log["event"] == "payout run"]
    assert run["log_level"] == "warning"
    assert run["provider_unclear_since"]


async def test_a_reversal_that_waits_for_approval_is_in_status(market: Market) -> None:
    asked = funding_pb2.DepositFundsRequest(
        vendor=f"vendors/{market.vendor_id}", amount=Money(currency_code="USD", units=1), bank_reference="line-1"
    )
    deposit = (await market.call(funding.deposit_funds, asked)).deposit
    wanted = funding_pb2.ProposeDepositReversalRequest(deposit=deposit, reason="booked by mistake")
    await market.call(funding.propose_deposit_reversal, wanted)
    assert (await in_status(market))["deposit reversals", "APPROVAL"].count == 1


async def test_status_counts_each_line_once_by_what_it_says_first(market: Market) -> None:
    await market.earn(await market.expert(), answers=2)
    await market.earn(await market.expert(instrument=False), answers=3)
    ill = await market.expert(instrument=False)
    await market.earn(ill, answers=4)
    await market.react(expert_changed(ill, 2, eligible=False))
    counted = {reason: each.count for (_, reason), each in (await in_status(market)).items()}
    assert counted == {"NEXT_RUN": 2, "NO_INSTRUMENT": 3, "NOT_ELIGIBLE": 4}
