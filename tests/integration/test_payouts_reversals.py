"""Deposits on a real database: one line of the bank is booked once, and a mistake is reversed by two persons."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from google.type.money_pb2 import Money
from preceptor.payouts.v1 import funding_pb2 as pb

from chassis.db import Database, Scope
from chassis.ids import new_id
from chassis.migrate import migrate
from chassis.rpc.call import Caller
from services.payouts.api import funding
from services.payouts.domain import deposit as rules
from services.payouts.domain.deposit import BankReferenceBooked, bank_reference
from services.payouts.service import SERVICE
from services.payouts.usecases.reverse_deposits import DepositNotFound, ReversalNotFound
from tests.support.databases import PASSWORD, Databases
from tests.support.payouts import Market, open_market, staff

WHY = "booked for the wrong vendor"
ALICE, BOB = staff(), staff()


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        await opened.open(deposit=0)
        yield opened


def dollars(units: int) -> Money:
    return Money(currency_code="USD", units=units)


async def book(market: Market, line: str = "line-1", units: int = 100) -> str:
    asked = pb.DepositFundsRequest(vendor=f"vendors/{market.vendor_id}", amount=dollars(units), bank_reference=line)
    return (await market.call(funding.deposit_funds, asked, ALICE)).deposit


async def propose(market: Market, deposit: str, units: int | None = None) -> pb.DepositReversal:
    asked = pb.ProposeDepositReversalRequest(deposit=deposit, reason=WHY)
    if units is not None:
        asked.amount.CopyFrom(dollars(units))
    return (await market.call(funding.propose_deposit_reversal, asked, ALICE)).reversal


async def approve(market: Market, reversal: pb.DepositReversal, who: Caller = BOB) -> pb.ApproveDepositReversalResponse:
    return await market.call(
        funding.approve_deposit_reversal, pb.ApproveDepositReversalRequest(name=reversal.name), who
    )


async def listed(market: Market, who: Caller = ALICE, **page: object) -> pb.ListDepositsResponse:
    asked = pb.ListDepositsRequest(parent=f"vendors/{market.vendor_id}", **page)  # type: ignore[arg-type]
    return await market.call(funding.list_deposits, asked, who)


async def prefund(market: Market) -> int:
    return await market.balance(f"vendor:{market.vendor_id}:prefund")


@pytest.mark.parametrize(
    "again", ["line-1 ", " LINE-1", "li ne-1", "line-1\N{ZERO WIDTH SPACE}", "\N{FULLWIDTH LATIN SMALL LETTER L}ine-1"]
)
async def test_a_deposit_whose_reference_is_typed_otherwise_is_not_booked_again(market: Market, again: str) -> None:
    await book(market)
    with pytest.raises(BankReferenceBooked):
        await book(market, again)
    assert await prefund(market) == 10_000


async def test_a_line_booked_twice_at_the_same_time_is_booked_once(market: Market) -> None:
    done = await asyncio.gather(*(book(market, f"line-1{' ' * n}") for n in range(6)), return_exceptions=True)
    assert sum(isinstance(result, str) for result in done) == 1
    assert {type(result) for result in done} == {str, BankReferenceBooked}
    assert await prefund(market) == 10_000


async def test_a_mistaken_deposit_is_reversed_by_a_second_person_and_the_journal_shows_both(market: Market) -> None:
    deposit = await book(market)
    reversal = await propose(market, deposit)
    assert (reversal.state, reversal.amount) == (pb.DEPOSIT_REVERSAL_STATE_PROPOSED, dollars(100))
    assert await prefund(market) == 10_000
    done = await approve(market, reversal)
    assert done.reversal.state == pb.DEPOSIT_REVERSAL_STATE_APPROVED
    assert (done.reversal.proposed_by, done.reversal.decided_by) == tuple(
        f"accounts/{who.subject}" for who in (ALICE, BOB)
    )
    assert done.funds.available == dollars(0)
    rows = await market.fetch("SELECT kind, amount, cause ->> 'deposit' AS deposit FROM transfer ORDER BY seq")
    id_ = deposit.removeprefix("deposits/")
    assert [tuple(row) for row in rows] == [("deposit", 10_000, id_), ("deposit_reversal", 10_000, id_)]
    [shown] = (await listed(market)).deposits
    assert (shown.reversed, shown.reversals[0].reason) == (dollars(100), WHY)
    assert await market.findings() == ()


async def test_neither_who_proposed_nor_another_account_of_theirs_approves(market: Market) -> None:
    reversal = await propose(market, await book(market))
    for who in (ALICE, staff(person_id=ALICE.person_id)):
        with pytest.raises(rules.SecondPersonNeeded):
            await approve(market, reversal, who)
    assert await prefund(market) == 10_000
    with pytest.raises(asyncpg.CheckViolationError, match="second_person"):
        await market.fetch("UPDATE deposit_reversal SET state = 'APPROVED', decider = proposer, decided_at = now()")


async def test_a_proposal_is_approved_once_and_nobody_edits_it(market: Market) -> None:
    reversal = await propose(market, await book(market))
    done = await asyncio.gather(*(approve(market, reversal, staff()) for _ in range(4)), return_exceptions=True)
    assert [type(result) for result in done].count(pb.ApproveDepositReversalResponse) == 1
    assert await prefund(market) == 0
    for change in ("SET amount = 1", "SET reason = ''", "SET expires_at = now()"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await market.fetch("UPDATE deposit_reversal " + change)


async def test_a_proposal_expires_and_may_be_made_anew(databases: Databases) -> None:
    async with open_market(databases, reversal_life=timedelta(0)) as market:
        await market.open(deposit=0)
        deposit = await book(market)
        for _ in range(2):
            reversal = await propose(market, deposit)
            with pytest.raises(rules.ReversalEnded):
                await approve(market, reversal)
        [shown] = (await listed(market)).deposits
        assert {each.state for each in shown.reversals} == {pb.DEPOSIT_REVERSAL_STATE_EXPIRED}
        assert await prefund(market) == 10_000


async def test_a_rejected_proposal_leaves_the_deposit_as_it_is(market: Market) -> None:
    deposit = await book(market)
    reversal = await propose(market, deposit)
    with pytest.raises(rules.ReversalProposed):
        await propose(market, deposit)
    rejected = pb.RejectDepositReversalRequest(name=reversal.name)
    ended = (await market.call(funding.reject_deposit_reversal, rejected, BOB)).reversal
    assert ended.state == pb.DEPOSIT_REVERSAL_STATE_REJECTED
    with pytest.raises(rules.ReversalEnded):
        await approve(market, reversal)
    assert (await propose(market, deposit)).state == pb.DEPOSIT_REVERSAL_STATE_PROPOSED


async def test_reserved_money_is_not_reversed_what_is_free_is_and_the_rest_once_it_came_back(market: Market) -> None:
    deposit = await book(market)
    batch = await market.batch(answers=5)  # 6000 of 10,000
    whole = await propose(market, deposit)
    with pytest.raises(rules.DepositInUse) as refused:
        await approve(market, whole)
    assert refused.value.metadata == {"free_minor": "4000", "missing_minor": "6000", "currency": "USD"}
    await market.call(funding.reject_deposit_reversal, pb.RejectDepositReversalRequest(name=whole.name), ALICE)
    await approve(market, await propose(market, deposit, 40))
    with pytest.raises(rules.InvalidReversal):
        await propose(market, deposit, 61)
    assert (await prefund(market), await market.balance(f"batch:{batch}:reserve")) == (0, 6000)
    await market.deposit(6000)  # as if it had come back
    await approve(market, await propose(market, deposit))
    [_, shown] = (await listed(market)).deposits
    assert (shown.reversed, [each.amount.units for each in shown.reversals]) == (dollars(100), [100, 40, 60])
    assert await market.findings() == ()


async def test_a_line_is_booked_anew_only_after_all_of_it_was_reversed(market: Market) -> None:
    deposit = await book(market, units=1000)
    await approve(market, await propose(market, deposit, 999))
    with pytest.raises(BankReferenceBooked):
        await book(market, units=100)
    await approve(market, await propose(market, deposit))
    await book(market, "Line-1", units=100)
    with pytest.raises(BankReferenceBooked):
        await book(market, units=100)
    assert await prefund(market) == 10_000
    assert await market.findings() == ()


async def test_a_vendor_sees_its_own_deposits_but_not_who_acted(market: Market) -> None:
    await propose(market, await book(market))
    await book(market, "line-2")
    own = Caller(new_id(), "vendor", frozenset({"VENDOR"}), new_id(), new_id(), market.vendor_id)
    first = await listed(market, own, page_size=1)
    second = await listed(market, own, page_size=1, page_token=first.next_page_token)
    assert [d.bank_reference for d in (*first.deposits, *second.deposits)] == ["line-2", "line-1"]
    [reversal] = second.deposits[0].reversals
    assert (reversal.reason, reversal.proposed_by, second.next_page_token) == (WHY, "", "")
    async with market.database.transaction(Scope.vendor(new_id())) as tx:
        assert await tx.fetchval("SELECT count(*) FROM deposit_reversal") == 0


async def test_who_approves_finds_what_waits_the_oldest_first(market: Market) -> None:
    made = [await propose(market, await book(market, f"line-{n}")) for n in range(3)]
    await approve(market, made[1])
    asked = pb.ListDepositReversalsRequest(page_size=1)
    first = await market.call(funding.list_deposit_reversals, asked, BOB)
    asked.page_token = first.next_page_token
    second = await market.call(funding.list_deposit_reversals, asked, BOB)
    assert [each.name for each in (*first.reversals, *second.reversals)] == [made[0].name, made[2].name]
    assert second.next_page_token == ""


async def test_what_there_is_not_is_not_found(market: Market) -> None:
    with pytest.raises(DepositNotFound):
        await propose(market, f"deposits/{new_id()}")
    with pytest.raises(ReversalNotFound):
        await approve(market, pb.DepositReversal(name=f"depositReversals/{new_id()}"))


OLD_LINES = ["line-1", "LINE 1", "Line-1 ", "ÄSS ß-2", "RF\N{NO-BREAK SPACE}18\N{ZERO WIDTH SPACE}", "ﬁ-9", "\t"]


async def test_lines_that_were_booked_before_get_their_keys_and_those_booked_twice_are_found(
    databases: Databases, tmp_path: Path
) -> None:
    for file in sorted(SERVICE.migrations.glob("000[1-6]*.sql")):
        shutil.copy(file, tmp_path)
    vendor = new_id()
    async with databases.fresh("payouts", tmp_path) as url:
        database = await Database.connect(url)
        async with database.transaction(Scope.service()) as tx:
            await tx.execute("INSERT INTO vendor VALUES ($1, 1, true)", vendor)
            for line in OLD_LINES:
                await tx.execute("INSERT INTO deposit VALUES ($1, $2, 5, 'USD', $2, now())", line, vendor)
            await tx.execute("INSERT INTO account (code, currency, vendor_id) VALUES ('a', 'USD', $1)", vendor)
            await tx.execute("INSERT INTO balance SELECT id, $1, 2, 9, 0 FROM account", vendor)
        name = url.rsplit("/", 1)[1].split("?")[0]
        await migrate(databases.admin_url, name, "payouts_app", PASSWORD, SERVICE.migrations)
        async with database.transaction(Scope.service()) as tx:
            rows = await tx.fetch("SELECT bank_reference, reference_key, booking FROM deposit")
            assert await tx.fetchval("SELECT amount FROM balance") == 7
        market = Market(database, None)  # type: ignore[arg-type]  # it is asked for findings alone
        found = [finding for finding in await market.findings() if "booked twice" in finding]
        await database.close()
    keys = {row["bank_reference"]: row["reference_key"] for row in rows}
    for line in OLD_LINES[:-1]:
        assert keys[line] == bank_reference(line).key
    twice = {row["bank_reference"]: row["booking"] for row in rows if row["reference_key"] == "line-1"}
    assert sorted(twice.values()) == [1, 2]
    assert found == ["line of the bank is booked twice: line-1"]
