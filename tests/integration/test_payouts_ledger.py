"""The ledger on a real database: append-only, no overdraft, one effect per key, and every tampering found."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio

from chassis.db import Scope
from services.payouts.domain import accounts
from services.payouts.domain.ledger import KeyReused, Overdraft, Transfer
from services.payouts.usecases.post_transfers import post
from tests.support.databases import Databases
from tests.support.payouts import Market, open_market, statements

BANK = accounts.bank("USD")
VENDOR = uuid4()
PREFUND = accounts.prefund(VENDOR, "USD")
HELD = accounts.held(uuid4(), "USD")


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    async with open_market(databases) as opened:
        yield opened


def deposit(key: str, amount: int, currency: str = "USD") -> Transfer:
    to = accounts.prefund(VENDOR, currency)
    return Transfer(f"deposit:{key}", accounts.bank(currency), to, amount, "deposit", {"bank_reference": key})


async def count(market: Market) -> int:
    return len(await market.fetch("SELECT FROM transfer"))


async def test_a_key_has_one_effect_however_often_it_comes(market: Market) -> None:
    for _ in range(2):
        await market.run(lambda tx: post(tx, [deposit("a", 100), deposit("a", 100), deposit("b", 5)]))
    assert await market.balance(PREFUND.code) == 105
    assert await count(market) == 2
    assert await market.findings() == ()


async def test_a_key_with_other_figures_is_refused_and_nothing_of_its_batch_is_booked(market: Market) -> None:
    await market.run(lambda tx: post(tx, [deposit("a", 100)]))
    with pytest.raises(KeyReused):
        await market.run(lambda tx: post(tx, [deposit("b", 1), deposit("a", 101)]))
    assert await market.balance(PREFUND.code) == 100


async def test_an_overdraft_anywhere_in_a_batch_books_nothing(market: Market) -> None:
    spend = [Transfer(f"spend:{n}", PREFUND, HELD, 60, "test") for n in range(2)]
    with pytest.raises(Overdraft):
        await market.run(lambda tx: post(tx, [deposit("a", 100), *spend]))
    assert await count(market) == 0
    await market.run(lambda tx: post(tx, [deposit("a", 120), *spend]))
    assert await market.balance(HELD.code) == 120


async def test_the_storage_itself_refuses_an_overdraft(market: Market) -> None:
    await market.run(lambda tx: post(tx, [deposit("a", 100)]))
    with pytest.raises(asyncpg.CheckViolationError, match="no_overdraft"):
        await market.fetch("UPDATE balance SET amount = amount - 101 WHERE vendor_id = $1", VENDOR)


@pytest.mark.parametrize("table", ["transfer", "block"])
async def test_the_service_cannot_change_the_journal(market: Market, table: str) -> None:
    await market.run(lambda tx: post(tx, [deposit("a", 100)]))
    for change in ("UPDATE " + table + " SET recorded_at = now()", "DELETE FROM " + table, "TRUNCATE " + table):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await market.fetch(change)


async def test_writers_of_one_lane_take_turns_and_the_chain_holds(market: Market) -> None:
    batches = [[deposit(f"{n}:{i}", n + i + 1) for i in range(5)] for n in range(12)]
    batches += [[deposit(f"eur:{n}", 7, "EUR")] for n in range(4)]
    await asyncio.gather(*(market.run(partial(post, transfers=batch)) for batch in batches + batches))
    assert await count(market) == 64
    rows = await market.fetch("SELECT currency, max(seq) AS last, count(*) AS n FROM transfer GROUP BY 1 ORDER BY 1")
    assert [(row["currency"], row["last"], row["n"]) for row in rows] == [("EUR", 4, 4), ("USD", 60, 60)]
    assert await market.findings() == ()


async def test_a_batch_of_any_size_takes_the_same_number_of_statements(market: Market) -> None:
    counts = []
    for size in (1, 2, 300):  # the first opens the accounts
        with statements() as made:
            await market.run(partial(post, transfers=[deposit(f"{size}:{n}", 1) for n in range(size)]))
        counts.append(len(made))
    assert counts[1] == counts[2] < counts[0]


TAMPERINGS = {
    "amount": ("UPDATE transfer SET amount = amount + 1 WHERE seq = 2", "balance is not the fold"),
    "cause": ("UPDATE transfer SET cause = '{}' WHERE seq = 2", "chain is broken: USD block 1"),
    "key": ("UPDATE transfer SET idem = gen_random_uuid() WHERE seq = 3", "chain is broken: USD block 2"),
    "time": ("UPDATE transfer SET recorded_at = now() WHERE seq = 1", "chain is broken: USD block 1"),
    "last": ("DELETE FROM transfer WHERE seq = 3", "journal is shorter than its chain: USD"),
    "block": ("UPDATE block SET hash = '\\x00' WHERE n = 1", "chain is broken: USD block 1"),
    "balance": (
        "UPDATE balance SET amount = amount + 1 WHERE vendor_id IS NOT NULL",
        "currency does not sum to zero",
    ),
}


@pytest.mark.parametrize("tampering", TAMPERINGS)
async def test_whatever_is_tampered_with_is_found(market: Market, databases: Databases, tampering: str) -> None:
    await market.run(lambda tx: post(tx, [deposit("a", 1), deposit("b", 2)]))
    await market.run(lambda tx: post(tx, [deposit("c", 3)]))
    assert await market.findings() == ()
    sql, finding = TAMPERINGS[tampering]
    name = (await market.fetch("SELECT current_database() AS name"))[0]["name"]
    admin = await asyncpg.connect(databases.admin_url.rpartition("/")[0] + "/" + name)
    try:
        await admin.execute("SET session_replication_role = replica")  # switches the triggers off
        await admin.execute(sql)
    finally:
        await admin.close()
    assert any(found.startswith(finding) for found in await market.findings())


async def test_even_the_administrator_is_told_that_the_journal_is_append_only(
    market: Market, databases: Databases
) -> None:
    await market.run(lambda tx: post(tx, [deposit("a", 1)]))
    name = (await market.fetch("SELECT current_database() AS name"))[0]["name"]
    admin = await asyncpg.connect(databases.admin_url.rpartition("/")[0] + "/" + name)
    try:
        for change in ("UPDATE transfer SET amount = 2", "DELETE FROM transfer", "TRUNCATE transfer"):
            with pytest.raises(asyncpg.RestrictViolationError, match="append-only"):
                await admin.execute(change)
    finally:
        await admin.close()


async def test_a_vendor_sees_its_own_accounts_only(market: Market) -> None:
    await market.run(lambda tx: post(tx, [deposit("a", 100), Transfer("s", PREFUND, HELD, 60, "test")]))
    for vendor, codes in ((VENDOR, [PREFUND.code]), (uuid4(), [])):
        async with market.database.transaction(Scope.vendor(vendor)) as tx:
            seen = await tx.fetch("SELECT code FROM account JOIN balance ON account_id = id")
            assert [row["code"] for row in seen] == codes
            assert await tx.fetchval("SELECT count(*) FROM transfer") == 0
