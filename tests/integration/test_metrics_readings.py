"""What metrics tell of a service's rows: what waits, who is missing, what does not add up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from uuid import uuid4

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.db import Database, Scope, Transaction
from chassis.telemetry import metrics
from chassis.telemetry.readings import OF_EVERY_SERVICE, Reading, Rows, keep_reading, of_waits, read, statement
from services.payouts.domain.rail import Unclear
from services.payouts.usecases.readings import READINGS as OF_PAYOUTS
from services.payouts.usecases.waits import waits_in_all
from services.tasking.domain.locale import patterns
from services.tasking.usecases.readings import READINGS as OF_TASKING
from tests.support.bus import eventually, running
from tests.support.databases import Databases
from tests.support.metrics import rising, value
from tests.support.payouts import Market, ScriptedRail, open_market
from tests.support.reactions import completed
from tests.support.tasking import World, scored

KIND = {"task_type": "pairwise_preference", "domain": "creative_writing"}


def named(readings: Sequence[Reading[object]], name: str) -> Reading[object]:
    return {reading.name: reading for reading in readings}[name]


async def told(database: Database, reading: Reading[object], metric: str, **labels: str) -> float:
    with rising("preceptor_reading_failures_total", reading=reading.name) as failures:
        await read(database, reading, None)
        assert failures() == 0
    return value(metric, **labels)


# Of every service.


async def test_the_outbox_tells_how_many_wait_and_for_how_long(tasking_database: Database) -> None:
    async with tasking_database.transaction(Scope.service()) as tx:
        tx.emit(completed("b1"), completed("b2"))
    bus = named(OF_EVERY_SERVICE, "bus")
    assert await told(tasking_database, bus, "preceptor_outbox_events") == 2
    assert value("preceptor_outbox_oldest_age_seconds") > 0
    async with tasking_database.transaction(Scope.service()) as tx:
        await tx.execute("DELETE FROM outbox")
    assert await told(tasking_database, bus, "preceptor_outbox_events") == 0
    assert value("preceptor_outbox_oldest_age_seconds") == 0


async def test_a_half_whose_partner_is_an_hour_late_is_told(payouts_database: Database) -> None:
    late = "INSERT INTO half_join (join_name, key, late_since) VALUES ('payable', $1, now() - interval '61 minutes')"
    async with payouts_database.transaction(Scope.service()) as tx:
        await tx.execute(late, uuid4())
    assert await told(payouts_database, named(OF_EVERY_SERVICE, "bus"), "preceptor_late_halves") == 1


async def test_a_transaction_that_stays_open_and_one_that_waits_for_its_lock_are_told(world_database: Database) -> None:
    database, reading = world_database, named(OF_EVERY_SERVICE, "database")
    locking = "LOCK TABLE rate_card IN EXCLUSIVE MODE"

    async def wait() -> None:
        async with database.transaction(Scope.service()) as tx:
            await tx.execute(locking)

    async def seen() -> bool:
        return await told(database, reading, "preceptor_database_lock_waiters") == 1

    async with database.transaction(Scope.service()) as tx:
        await tx.execute(locking)
        waiting = asyncio.ensure_future(wait())
        await eventually(seen)
        assert value("preceptor_database_longest_transaction_seconds") > 0
    await waiting


async def test_a_reading_that_fails_is_counted_and_the_others_go_on(tasking_database: Database) -> None:
    async def broken(tx: Transaction, _: object) -> Rows:
        await tx.execute("SELECT no_such_column FROM outbox")
        return []

    failing = Reading("broken", broken, {"x": metrics.BATCHES})
    working = Reading("working", statement("SELECT 3 AS x"), {"x": metrics.LEASES_OVERDUE})
    with rising("preceptor_reading_failures_total", reading="broken") as failures:

        async def both() -> bool:
            return failures() >= 2 and value("preceptor_leases_overdue") == 3

        every = timedelta(milliseconds=5)
        async with running(lambda stop: keep_reading(tasking_database, [failing, working], None, every, stop)):
            await eventually(both)
    assert value("preceptor_reading_last_success_timestamp_seconds", reading="working") > 0
    assert value("preceptor_reading_last_success_timestamp_seconds", reading="broken") == 0


async def test_a_statement_that_takes_too_long_is_given_up(
    tasking_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chassis.telemetry.readings.LONGEST_STATEMENT", timedelta(milliseconds=20))
    slow = Reading("slow", statement("SELECT pg_sleep(600)::text AS x"), {"x": metrics.LEASES_OVERDUE})
    with rising("preceptor_reading_failures_total", reading="slow") as failures:
        await read(tasking_database, slow, None)
        assert failures() == 1


async def test_labels_that_no_row_has_any_more_are_gone_and_there_are_never_too_many(
    tasking_database: Database,
) -> None:
    async def states(count: int) -> set[tuple[str, ...]]:
        sql = f"SELECT n::text AS state, n AS batches FROM generate_series(1, {count}) AS n"
        await read(tasking_database, Reading("many", statement(sql), {"batches": metrics.BATCHES}), None)
        return metrics.series_of(metrics.BATCHES)

    assert await states(2) == {("1",), ("2",)}
    assert await states(1) == {("1",)}
    assert len(await states(10_000)) == 500


# Tasking.


async def test_batches_are_told_by_state_and_their_open_tasks_by_type_and_domain(world: World) -> None:
    batches, tasks = named(OF_TASKING, "batches"), named(OF_TASKING, "open-tasks")
    await world.staged(1)
    await world.opened(3, key="b2")
    assert await told(world.database, batches, "preceptor_batches", state="open") == 1
    assert value("preceptor_batches", state="staging") == 1
    assert value("preceptor_batches", state="halted_budget") == 0
    assert await told(world.database, tasks, "preceptor_open_tasks", **KIND) == 3
    [row, *_] = await world.rows("SELECT task_id FROM task JOIN batch USING (batch_id) WHERE batch.state = 3")
    with rising("preceptor_result_delay_seconds_count", state="resolved") as results:
        await world.scores(scored(row["task_id"]))
        assert results() == 1
    assert await told(world.database, tasks, "preceptor_open_tasks", **KIND) == 2


async def test_tasks_that_no_active_expert_may_take_are_told(world: World) -> None:
    reading, metric = named(OF_TASKING, "untakeable-tasks"), "preceptor_untakeable_tasks"
    await world.opened(4, await world.project(locale="de-CH", claims=["profession=lawyer"]))
    assert await told(world.database, reading, metric, **KIND) == 4
    await world.expert(locales=["de-CH"])
    await world.expert(locales=["de-AT"], claims=["profession=lawyer"])
    assert await told(world.database, reading, metric, **KIND) == 4
    await world.expert(locales=["de"], claims=["profession=lawyer", "level=senior"])
    assert await told(world.database, reading, metric, **KIND) == 0


_TAG = st.lists(st.sampled_from(["de", "CH", "1901", "en", "e"]), min_size=1, max_size=3).map("-".join)
_FITS = """
SELECT $1 || '-' LIKE ANY ($3::text[]) AS claimed,
       EXISTS (SELECT FROM unnest($2::text[]) AS own WHERE $1 || '-' LIKE own || '-%' OR own LIKE $1 || '-%') AS read
"""


async def test_a_locale_fits_in_the_reading_as_in_a_claim(tasking_database: Database) -> None:
    found: list[tuple[str, list[str]]] = []

    @settings(max_examples=200, database=None)
    @given(_TAG, st.lists(_TAG, max_size=3))
    def collect(project: str, own: list[str]) -> None:
        found.append((project, own))

    collect()
    async with tasking_database.transaction(Scope.service()) as tx:
        for project, own in found:
            row = await tx.fetchrow(_FITS, project, own, patterns(own))
            assert row is not None
            assert row["claimed"] == row["read"], (project, own)


async def test_a_lease_that_nobody_ends_is_told_a_minute_after_its_end(world: World) -> None:
    await world.opened()
    with (
        rising("preceptor_claims_total", outcome="given") as given_,
        rising("preceptor_claims_total", outcome="again") as again,
    ):
        slot = await world.lease()
        await world.lease(slot["expert_id"])
        assert (given_(), again()) == (1, 1)
    overdue = named(OF_TASKING, "leases-overdue")
    assert await told(world.database, overdue, "preceptor_leases_overdue") == 0
    await world.pass_time(timedelta(minutes=32))
    assert await told(world.database, overdue, "preceptor_leases_overdue") == 1


# Payouts.


@pytest_asyncio.fixture
async def market(databases: Databases) -> AsyncIterator[Market]:
    rail = ScriptedRail(script=[Unclear("hangs")] * 9)
    async with open_market(databases, rail, review_window=timedelta(0)) as opened:
        await opened.open()
        yield opened


async def test_a_ledger_that_does_not_add_up_is_told_by_currency(market: Market) -> None:
    reading, metric = named(OF_PAYOUTS, "imbalance"), "preceptor_ledger_imbalance_minor"
    assert await told(market.database, reading, metric, currency="USD") == 0
    await market.fetch("UPDATE balance SET amount = amount + 7 WHERE amount > 0 RETURNING 1")
    assert await told(market.database, reading, metric, currency="USD") == 7


async def test_holds_are_told_by_reason_and_age(databases: Databases) -> None:
    async with open_market(databases, review_window=timedelta(days=3)) as market:
        await market.open()
        await market.earn(await market.expert(), answers=2)
        reading, labels = named(OF_PAYOUTS, "holds"), {"reason": "REVIEW_WINDOW"}
        assert await told(market.database, reading, "preceptor_holds", **labels, age="under_1d") == 2
        await market.fetch("UPDATE hold SET placed_at = placed_at - interval '2 days' RETURNING 1")
        assert await told(market.database, reading, "preceptor_holds", **labels, age="under_7d") == 2
        assert value("preceptor_holds", **labels, age="under_1d") == 0


async def test_payouts_on_their_way_and_unclear_attempts_are_told(market: Market) -> None:
    payouts, unclear = named(OF_PAYOUTS, "payouts"), named(OF_PAYOUTS, "unclear-attempts")
    await market.earn(await market.expert())
    await market.gather()
    assert await told(market.database, payouts, "preceptor_payouts", state="batched") == 1
    assert value("preceptor_payout_oldest_age_seconds", state="batched") > 0
    await market.send()
    assert await told(market.database, unclear, "preceptor_attempts_unclear", age="under_10m") == 1
    await market.fetch("UPDATE attempt SET unclear_since = unclear_since - interval '2 hours' RETURNING 1")
    assert await told(market.database, unclear, "preceptor_attempts_unclear", age="under_1d") == 1
    waits: Mapping[str, str] = {"what": "payouts at double", "reason": "PROVIDER_UNKNOWN"}
    await read(market.database, of_waits(waits_in_all), market.context)
    assert value("preceptor_waiting", **waits) == 1
    assert value("preceptor_waiting_oldest_age_seconds", **waits) > 0


async def test_a_prefund_that_would_not_last_another_day_is_told(databases: Databases) -> None:
    async with open_market(databases) as market:
        await market.open(deposit=18_000)
        reading, metric = named(OF_PAYOUTS, "prefunds"), "preceptor_prefunds_below_burn"
        await market.batch(answers=5)
        assert await told(market.database, reading, metric, currency="USD") == 0
        await market.batch(answers=6)
        assert await told(market.database, reading, metric, currency="USD") == 1
        await market.deposit(100_000)
        assert await told(market.database, reading, metric, currency="USD") == 0
