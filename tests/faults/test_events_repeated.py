"""Every event of a whole main job comes again, and again to services that have forgotten what they took."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from chassis.bus.intake import Record
from chassis.contract.events import catalogue
from clients.cli.status import look
from deploy.local.main_job import checks
from tests.support.bus import eventually
from tests.support.main_job import DoneJob


@dataclass(frozen=True)
class Money:
    """All that must not move."""

    transfers: int
    balances: list[tuple[str, int, int]]
    payouts: int
    attempts: int
    earnings: list[tuple[object, ...]]
    at_provider: dict[str, tuple[int, str]]


async def test_no_money_moves_when_every_event_is_delivered_again(done_job: DoneJob) -> None:
    before = await _money(done_job)
    events = await _all_events(done_job)

    await done_job.bus.write(*events)
    await _caught_up(done_job)

    assert len(events) > 100
    assert await _money(done_job) == before


async def test_no_money_moves_when_every_event_is_delivered_again_and_the_inboxes_are_empty(done_job: DoneJob) -> None:
    before = await _money(done_job)
    events = await _all_events(done_job)
    forgotten = 0
    for service in ("tasking", "scoring", "payouts"):
        async with _database(done_job, service) as database:
            forgotten += int((await database.execute("DELETE FROM inbox")).split()[1])

    await done_job.bus.write(*events)
    await _caught_up(done_job)

    assert forgotten > 50
    assert await _money(done_job) == before
    async with _database(done_job, "payouts") as payouts:
        assert (await checks.balances_are_folds(payouts)).ok


async def test_results_and_decisions_stand_when_every_event_is_delivered_again(done_job: DoneJob) -> None:
    before = await _decisions(done_job)

    await done_job.bus.write(*await _all_events(done_job))
    await _caught_up(done_job)

    assert await _decisions(done_job) == before


async def _all_events(job: DoneJob) -> list[Record]:
    """One record for each event on the bus: the repeats that another test wrote are left out."""
    topics = sorted({type_.topic for type_ in catalogue().values()})
    records = [record for topic in topics for record in await job.bus.read(topic)]
    return list({dict(record.headers)["ce_id"]: record for record in reversed(records)}.values())[::-1]


async def _caught_up(job: DoneJob) -> None:
    """Waits until every consumer has taken everything and every outbox is empty, twice in a row."""

    async def quiet() -> bool:
        if any(service.lag != 0 for service in await look(job.platform.describe())):
            return False
        for service in ("tasking", "scoring", "payouts"):
            async with _database(job, service) as database:
                if await database.fetchval("SELECT count(*) FROM outbox"):
                    return False
        return all(service.lag == 0 for service in await look(job.platform.describe()))

    await eventually(quiet, within=240.0)


async def _money(job: DoneJob) -> Money:
    async with _database(job, "payouts") as database:
        balances = await database.fetch(
            "SELECT a.code, b.amount FROM balance b JOIN account a ON a.id = b.account_id ORDER BY 1"
        )
        earnings = await database.fetch(
            "SELECT answer_id, time_id, version, amount, taken_back, state FROM earning ORDER BY 1, 2, 3"
        )
        counts = [
            await database.fetchval("SELECT count(*) FROM transfer"),
            await database.fetchval("SELECT count(*) FROM payout"),
            await database.fetchval("SELECT count(*) FROM attempt"),
        ]
    provider = job.platform.provider
    destinations = {f"acct_{expert.name[-12:]}" for expert in job.outcome.experts}
    paid = await checks.provider_transfers(provider.url, provider.token, destinations)
    return Money(counts[0], [tuple(row) for row in balances], counts[1], counts[2], [tuple(r) for r in earnings], paid)


async def _decisions(job: DoneJob) -> list[tuple[object, ...]]:
    async with _database(job, "tasking") as database:
        rows = await database.fetch(
            """
            SELECT a.answer_id, a.decision_version, a.payable_basis_points, t.state, t.scored_version, t.result
            FROM answer a JOIN task t USING (task_id) ORDER BY a.answer_id
            """
        )
    return [tuple(row) for row in rows]


@asynccontextmanager
async def _database(job: DoneJob, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A service's database, as the administrator."""
    platform = job.platform
    connection = await asyncpg.connect(platform.backends.postgres_url, database=platform.database_name(service))
    try:
        yield connection
    finally:
        await connection.close()
