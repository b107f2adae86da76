"""Payouts and their attempts: whatever the provider answers, or does not, nobody is paid twice and nothing is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
import pytest_asyncio
from preceptor.payouts.v1 import events_pb2 as events

from chassis.ids import new_id
from services.payouts.domain.rail import Refused, Taken, TransferState, Unclear
from services.payouts.usecases.instruments import InvalidDestination, set_instrument
from services.payouts.usecases.list_payouts import list_payouts
from tests.support.databases import Databases
from tests.support.payouts import Market, ScriptedRail, expert_changed, open_market

PROCESSING = Taken("tr_1", TransferState.PROCESSING)
PAID = Taken("tr_1", TransferState.PAID)
LOST = Taken("tr_1", TransferState.FAILED, "could_not_process")
LOST_REPLY = Unclear("ServerDisconnectedError")


@pytest.fixture
def rail() -> ScriptedRail:
    return ScriptedRail()


@pytest_asyncio.fixture
async def market(databases: Databases, rail: ScriptedRail) -> AsyncIterator[Market]:
    async with open_market(databases, rail) as opened:
        await opened.open()
        yield opened


async def payable(market: Market) -> UUID:
    """An expert with 2000 to be paid, in a payout with an attempt."""
    expert = await market.expert()
    await market.earn(expert)
    assert await market.gather() == 1
    return expert


async def states(market: Market, expert: UUID) -> list[str]:
    return [payout.state for payout in await market.run(lambda tx: list_payouts(tx, expert, None, 10))]


async def attempts(market: Market) -> list[str]:
    return [row["state"] for row in await market.fetch("SELECT state FROM attempt ORDER BY id")]


async def make_due(market: Market) -> None:
    """What is in hand may be taken by the next worker now."""
    await market.fetch("UPDATE attempt SET due_at = now()")


async def test_the_run_pays_those_who_have_enough_an_instrument_and_are_eligible(market: Market) -> None:
    rich = await market.expert()
    others = [await market.expert(), await market.expert(instrument=False), await market.expert(eligible=False)]
    for expert in (rich, *others):
        await market.earn(expert, answers=1 if expert == others[0] else 2)
    poor = [market.answer(await market.batch(), others[0], amount=1000)]
    assert poor
    await market.fetch("UPDATE earning SET amount = 999 WHERE expert_id = $1", others[0])
    assert await market.gather() == 1
    assert [await states(market, expert) for expert in (rich, *others)] == [["BATCHED"], [], [], []]


async def test_an_eligible_expert_is_paid_by_a_later_run(market: Market) -> None:
    expert = await market.expert(eligible=False)
    await market.earn(expert)
    await market.fetch("UPDATE earning SET hold_until = now()")
    await market.release()
    assert await market.gather() == 0
    await market.react(expert_changed(expert, 2))
    assert await market.gather() == 1


async def test_one_close_makes_one_payout_of_an_expert(databases: Databases) -> None:
    async with open_market(databases, run_interval=timedelta(days=3650)) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        assert await market.gather() == 0  # it became payable after the close
        await market.fetch("UPDATE earning SET payable_at = now() - interval '20 years'")
        assert await market.gather() == 1
        await market.earn(expert)
        await market.fetch("UPDATE earning SET payable_at = now() - interval '20 years' WHERE state = 'PAYABLE'")
        assert await market.gather() == 0
        assert await states(market, expert) == ["BATCHED"]


async def test_nothing_is_sent_before_its_intent_is_committed(market: Market, rail: ScriptedRail) -> None:
    await payable(market)
    [row] = await market.fetch("SELECT * FROM attempt")
    assert (row["state"], row["first_sent_at"], rail.sent) == ("CREATED", None, [])
    await market.send()
    [order] = rail.sent
    assert (order.idem_key, order.reference, order.amount) == (row["idem_key"], row["reference"], 2000)
    assert order.body_hash() == row["body_hash"]


async def test_the_database_allows_one_live_attempt_of_a_payout(market: Market) -> None:
    await payable(market)
    await market.fetch("UPDATE payout SET state = 'BATCHED'")
    assert await market.gather() == 0
    with pytest.raises(asyncpg.UniqueViolationError, match="attempt_live"):
        await market.fetch(
            """INSERT INTO attempt (id, payout_id, n, provider, reference, idem_key, instrument_id, amount, currency,
                                    body_hash, state, due_at)
               SELECT $1, payout_id, 2, provider, 'OTHER', $1, instrument_id, amount, currency, body_hash, state, due_at
               FROM attempt""",
            new_id(),
        )


async def test_a_processing_transfer_is_settled_when_it_is_paid(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [PROCESSING, PROCESSING, Unclear("RAIL_UNAVAILABLE"), PAID]
    await market.send()
    assert await states(market, expert) == ["SUBMITTED"]
    for state in ("SUBMITTED", "SUBMITTED", "PAID"):
        await make_due(market)
        assert await market.check() == 1
        assert await states(market, expert) == [state]
    assert await market.check() == 0
    assert len(await market.events(events.PayoutSettled)) == 1
    assert await market.balance("provider:double:clearing") == 2000
    assert await market.findings() == ()


async def test_a_definite_refusal_makes_the_money_payable_again(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [Refused("insufficient_funds")]
    await market.send()
    assert await market.stages(expert) == (0, 2000, 0)
    [failed] = await market.events(events.PayoutFailed)
    assert (failed.amount_minor, failed.failure_code) == (2000, "insufficient_funds")
    assert await market.findings() == ()
    await market.gather()
    await market.send()
    assert await states(market, expert) == ["PAID", "FAILED"]
    assert await market.findings() == ()


async def test_a_refused_instrument_is_not_tried_again_until_it_is_changed(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [Refused("invalid_destination")]
    await market.send()
    assert await market.gather() == 0
    await market.run(lambda tx: set_instrument(tx, market.context, expert, "USD", "acct-new"))
    assert await market.gather() == 0  # it cools off
    await market.fetch("UPDATE instrument SET usable_from = now()")
    await market.gather()
    await market.send()
    assert [order.destination for order in rail.sent] == [f"acct-{expert}", "acct-new"]
    assert await market.findings() == ()


async def test_a_transfer_that_fails_while_processing_is_refunded_once(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [PROCESSING, LOST]
    await market.send()
    for _ in range(2):
        await make_due(market)
        await market.check()
    assert await market.stages(expert) == (0, 2000, 0)
    assert len(await market.events(events.PayoutFailed)) == 1
    assert await market.findings() == ()


async def test_a_lost_reply_is_found_by_its_reference_and_not_sent_again(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [LOST_REPLY]
    await market.send()
    assert await states(market, expert) == ["UNKNOWN"]
    rail.found = PAID
    await make_due(market)
    await market.check()
    assert await states(market, expert) == ["PAID"]
    assert len(rail.sent) == 1


async def test_what_is_not_found_is_sent_again_under_the_same_key(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [LOST_REPLY, Unclear("status 409 in_flight"), PAID]
    await market.send()
    for _ in range(2):
        await make_due(market)
        await market.check()
    assert await states(market, expert) == ["PAID"]
    assert len({(order.idem_key, order.reference, order.body_hash()) for order in rail.sent}) == 1
    assert len(rail.sent) == 3


async def forget_key(market: Market) -> None:
    """More than the provider's memory of a key ago."""
    await market.fetch("UPDATE attempt SET first_sent_at = now() - interval '20 hours', due_at = now()")


async def test_after_the_keys_life_only_a_closed_statement_decides(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    rail.script = [Unclear("status 500 internal")]
    await market.send()
    await forget_key(market)
    await market.check()
    assert (await attempts(market), len(rail.sent)) == (["UNKNOWN"], 1)  # the statement is open
    rail.statement = [rail.sent[0].reference]
    await make_due(market)
    await market.check()
    assert await attempts(market) == ["UNKNOWN"]  # shown there, so it is only a matter of looking it up
    rail.statement = ["ANOTHER"]
    await make_due(market)
    await market.check()
    assert (await attempts(market), await states(market, expert)) == (["NOT_SENT"], ["BATCHED"])
    assert await market.stages(expert) == (0, 0, 2000)
    assert await market.gather() == 1
    await market.send()
    assert (await attempts(market), await states(market, expert)) == (["NOT_SENT", "PAID"], ["PAID"])
    assert rail.sent[0].idem_key != rail.sent[1].idem_key
    assert await market.findings() == ()


async def test_a_crash_between_sending_and_writing_down_loses_nothing(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)

    async def crash(*_: object) -> None:
        raise ConnectionError("killed")

    sending, rail.send = rail.send, crash  # type: ignore[method-assign, assignment]
    with pytest.raises(ConnectionError):
        await market.send()
    assert (await attempts(market), await market.stages(expert)) == (["SUBMITTING"], (0, 0, 2000))
    rail.send = sending  # type: ignore[method-assign]
    assert await market.send() == 0
    await make_due(market)
    await market.check()
    assert await states(market, expert) == ["PAID"]
    assert await market.findings() == ()


async def test_a_changed_instrument_never_reaches_an_attempt_in_hand(market: Market, rail: ScriptedRail) -> None:
    expert = await payable(market)
    await market.run(lambda tx: set_instrument(tx, market.context, expert, "USD", "acct-new"))
    await market.send()
    assert [order.destination for order in rail.sent] == [f"acct-{expert}"]


async def test_a_payout_whose_instrument_was_changed_before_any_attempt_goes_back(market: Market) -> None:
    expert = await payable(market)
    await market.fetch(
        "UPDATE attempt SET state = 'NOT_SENT', ended_at = now(), first_sent_at = now(), send_before = now()"
    )
    await market.fetch("UPDATE payout SET state = 'BATCHED'")
    await market.run(lambda tx: set_instrument(tx, market.context, expert, "USD", "acct-new"))
    await market.gather()
    assert await states(market, expert) == ["FAILED"]
    assert await market.stages(expert) == (0, 2000, 0)
    assert await market.findings() == ()


async def test_the_same_instrument_again_changes_nothing(market: Market) -> None:
    expert = await market.expert()
    before = await market.fetch("SELECT id FROM instrument")
    for spelled in (f"acct-{expert}", f" acct-{str(expert)[:4]} {str(expert)[4:]}\N{ZERO WIDTH SPACE}"):
        await market.run(lambda tx, spelled=spelled: set_instrument(tx, market.context, expert, "USD", spelled))  # type: ignore[misc]
    assert await market.fetch("SELECT id FROM instrument") == before
    for unseen in ("    ", "ab\0\0\0\0"):
        with pytest.raises(InvalidDestination):
            await market.run(lambda tx, to=unseen: set_instrument(tx, market.context, expert, "USD", to))  # type: ignore[misc]


async def test_a_destination_is_kept_sealed(market: Market) -> None:
    expert = await market.expert()
    [row] = await market.fetch("SELECT instrument::text AS everything, suffix FROM instrument")
    assert f"acct-{expert}".encode().hex() not in row["everything"]
    assert row["suffix"] == str(expert)[-4:]


async def test_the_first_settled_payout_frees_lines_held_for_it(databases: Databases, rail: ScriptedRail) -> None:
    async with open_market(databases, rail, first_payout_hold=timedelta(days=7)) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        assert await market.stages(expert) == (2000, 0, 0)
        await market.fetch("UPDATE earning SET hold_until = now() WHERE id = (SELECT min(id::text)::uuid FROM earning)")
        await market.release()
        await market.gather()
        await market.send()
        assert await market.release() == 1
        assert await market.stages(expert) == (0, 1000, 0)
        await market.earn(expert)
        assert await market.stages(expert) == (0, 3000, 0)


async def test_the_switch_stops_money_from_leaving(databases: Databases, rail: ScriptedRail) -> None:
    async with open_market(databases, rail, sending=False) as market:
        await market.open()
        expert = await market.expert()
        await market.earn(expert)
        assert await market.gather() == 0
        assert await market.send() == 0
        assert await states(market, expert) == ["BATCHED"]
