"""Lists whose items can be large end a page by its size, and no item is lost or told twice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.scoring.v1.rater_pb2 import DecideFlagResponse, Flag
from preceptor.tasking.v1 import batch_pb2
from preceptor.work.v1.work_pb2 import QuestionDecision, QuestionDecisions

from chassis.db import Database, Scope
from chassis.ids import name, new_id
from chassis.rpc.call import Call
from chassis.rpc.paging import PAGE_BYTES
from services.scoring.api import rater
from services.scoring.usecases import flags
from services.tasking.api import batch as batches
from tests.support import platform
from tests.support.databases import Databases
from tests.support.scoring import CONTEXT, open_database
from tests.support.tasking import World, new_task, vendor_caller

LARGEST = 100
"""Decisions on a task, each with all that a vendor may say."""


def decided(number: int) -> bytes:
    decisions = [QuestionDecision(question=f"c{n}", label="SUPPORTED", reason="𝄞" * 1000) for n in range(number)]
    return QuestionDecisions(decisions=decisions).SerializeToString()


async def pages(world: World, batch_id: UUID, size: int) -> AsyncIterator[batch_pb2.ListResultsResponse]:
    caller, token = vendor_caller(world.vendor_id), ""
    while True:
        request = batch_pb2.ListResultsRequest(parent=name("batches", batch_id), page_size=size, page_token=token)
        async with world.database.transaction(caller.scope) as tx:
            page = await batches.list_results(world.call(caller, tx), request)
        yield page
        if not (token := page.next_page_token):
            return


@pytest.mark.parametrize("numbers", [[LARGEST] * 5, [1, LARGEST, 0, 30, 0, 100, 100, 0, 60, 61], [0] * 7, [LARGEST]])
@pytest.mark.parametrize("size", [3, 1000])
async def test_results_come_whole_however_large(world: World, numbers: Sequence[int], size: int) -> None:
    batch_id = await world.staged([new_task(f"k{n}", n) for n in range(len(numbers))])
    for place, number in enumerate(numbers):
        await world.rows("UPDATE task SET decisions = $1 WHERE item_key = $2", decided(number), f"k{place}")
    found = [page async for page in pages(world, batch_id, size)]
    assert [result.item_key for page in found for result in page.results] == [f"k{n}" for n in range(len(numbers))]
    assert [len(result.decisions) for page in found for result in page.results] == numbers
    assert all(page.ByteSize() <= PAGE_BYTES + 1000 for page in found)
    assert all(page.results for page in found)


@pytest_asyncio.fixture
async def scoring(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as database:
        yield database


async def test_flags_of_a_great_ring_come_whole(scoring: Database) -> None:
    ids = [new_id() for _ in range(30)]
    others, start = [new_id() for _ in range(2_000)], datetime(2026, 1, 1, tzinfo=UTC)
    insert = (
        "INSERT INTO rater_flag (flag_id, expert_id, kind, others, nats, evidence) VALUES ($1, $2, 3, $3, -14, 'e')"
    )
    async with scoring.transaction(Scope.service()) as tx:
        for id_ in ids:
            await tx.execute(insert, id_, new_id(), others)
    kept = rater.name_alone(DecideFlagResponse(flag=Flag(name=name("flags", ids[0]), evidence="long")))
    assert kept.ByteSize() < 50
    async with scoring.transaction(Scope.service()) as tx:
        call = Call(platform.staff("QUALITY_REVIEWER"), CONTEXT, scoring, tx)
        assert len((await rater.decide_again(call, kept)).flag.others) == len(others)
    seen: list[UUID] = []
    after = (start - timedelta(days=9999), UUID(int=0))
    while len(seen) < len(ids):
        async with scoring.transaction(Scope.service()) as tx:
            page = await flags.list_flags(tx, after, 501)
        assert sum(16 * len(row["others"]) for row in page) <= PAGE_BYTES
        assert page[0]["found"] == len(ids) - len(seen)
        seen += [row["flag_id"] for row in page]
        after = (page[-1]["flagged_at"], page[-1]["flag_id"])
    assert seen == sorted(ids)
