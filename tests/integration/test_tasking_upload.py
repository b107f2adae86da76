"""Uploads on a real database: wrong rows beside right ones, repeats, conflicts, order, and whose batch it is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from uuid import UUID

import pytest
import pytest_asyncio
from preceptor.tasking.v1.batch_pb2 import NewTask, UploadBatchRequest, UploadBatchResponse, UploadChunk, UploadHeader
from preceptor.work.v1.fact_check_pb2 import ClaimVerdict, FactCheckAnswer
from preceptor.work.v1.pairwise_preference_pb2 import PairwisePreferenceAnswer
from preceptor.work.v1.work_pb2 import Answer, Payload

from chassis.errors import ServiceError
from chassis.ids import new_id
from chassis.keys import KeyMisspelled
from chassis.rpc.call import NotYours
from services.tasking.api.upload import upload_batch
from services.tasking.domain.upload import BatchNotStaging, ChunkOutOfOrder, HeaderMissing
from services.tasking.usecases.upload_batch import store_chunk
from tests.support.tasking import World, new_task, payload, vendor_caller

KEYS = "SELECT item_key FROM task ORDER BY position, task_id"


def task(key: str, text: str = "", priority: int = 0) -> NewTask:
    return NewTask(item_key=key, payload=payload(text or key), priority=priority)


def chunk(sequence: int, *tasks: NewTask) -> UploadBatchRequest:
    return UploadBatchRequest(chunk=UploadChunk(sequence=sequence, tasks=tasks))


async def stream(*requests: UploadBatchRequest) -> AsyncIterator[UploadBatchRequest]:
    for request in requests:
        yield request


class Upload:
    """A vendor's upload into one batch, again and again."""

    def __init__(self, world: World, project: UUID | str, vendor: UUID | None = None) -> None:
        self.world, self.caller = world, vendor_caller(vendor or world.vendor_id)
        self.header = UploadBatchRequest(header=UploadHeader(project=f"projects/{project}", batch_key="march"))

    async def __call__(self, *chunks: UploadBatchRequest) -> UploadBatchResponse:
        return await upload_batch(self.world.call(self.caller), stream(self.header, *chunks))


@pytest_asyncio.fixture
async def upload(world: World) -> Upload:
    return Upload(world, await world.project())


def counts(response: UploadBatchResponse) -> tuple[int, int, int]:
    return response.accepted, response.repeated, response.rejected


async def test_wrong_rows_are_named_and_the_right_ones_between_them_go_in(world: World, upload: Upload) -> None:
    rows = [
        task("a"),
        NewTask(item_key="no-payload"),
        task("b"),
        NewTask(item_key="", payload=payload()),
        task("high", priority=101),
        task("nul\0"),
        task("a "),
        NewTask(item_key="empty", payload=Payload()),
        task("c"),
    ]
    told = await upload(chunk(1, *rows))
    assert counts(told) == (3, 0, 6)
    assert [(error.sequence, error.position, error.item_key, error.field) for error in told.errors] == [
        (1, 1, "no-payload", "payload"),
        (1, 3, "", "item_key"),
        (1, 4, "high", "priority"),
        (1, 5, "nul\0", "item_key"),
        (1, 6, "a ", "item_key"),
        (1, 7, "empty", "payload.type"),
    ]
    assert [error.reason for error in told.errors if error.field == "item_key"] == [
        "INVALID_TASK",
        "KEY_MISSPELLED",
        "KEY_MISSPELLED",
    ]
    assert all(error.message for error in told.errors)
    assert [row["item_key"] for row in await world.rows(KEYS)] == ["a", "b", "c"]
    assert (told.batch.tasks, told.batch.last_chunk) == (3, 1)


async def test_an_upload_that_is_sent_again_stores_nothing_twice(world: World, upload: Upload) -> None:
    chunks = [chunk(1, task("a"), task("b")), chunk(2, task("c"))]
    first, again = await upload(*chunks), await upload(*chunks)
    assert (counts(first), counts(again)) == ((3, 0, 0), (0, 3, 0))
    assert again.batch == first.batch
    assert first.batch.last_chunk == 2
    assert len(await world.rows(KEYS)) == 3


async def test_a_batch_key_that_looks_like_another_is_refused_with_how_to_write_it(upload: Upload) -> None:
    upload.header.header.batch_key = " march"
    with pytest.raises(KeyMisspelled) as refused:
        await upload(chunk(1, task("a")))
    assert (refused.value.field, refused.value.metadata["spelled"]) == ("header.batch_key", "march")


async def test_a_cut_upload_goes_on_after_its_last_durable_chunk(world: World, upload: Upload) -> None:
    await upload(chunk(1, task("a")))
    told = await upload(chunk(2, task("b")))
    assert (counts(told), told.batch.tasks) == ((1, 0, 0), 2)


@pytest.mark.parametrize("across", [False, True])
async def test_a_key_with_other_content_is_an_error_of_its_row(world: World, upload: Upload, across: bool) -> None:
    rows = [task("a"), task("b"), task("a", "something else")]
    told = await upload(*([chunk(1, *rows[:2]), chunk(2, rows[2])] if across else [chunk(1, *rows)]))
    assert counts(told) == (2, 0, 1)
    [error] = told.errors
    assert (error.reason, error.field, error.item_key) == ("ITEM_KEY_CONFLICT", "item_key", "a")
    assert (error.sequence, error.position) == ((2, 0) if across else (1, 2))
    stored = await world.row("SELECT payload FROM task WHERE item_key = 'a'")
    assert Payload.FromString(stored["payload"]) == payload("a")


async def test_a_key_that_is_twice_in_a_chunk_with_the_same_content_is_one_task(world: World, upload: Upload) -> None:
    assert counts(await upload(chunk(1, task("a"), task("a")))) == (1, 1, 0)


async def test_a_chunk_after_a_gap_is_refused_and_leaves_nothing(world: World, upload: Upload) -> None:
    await upload(chunk(1, task("a")))
    with pytest.raises(ChunkOutOfOrder) as refused:
        await upload(chunk(3, task("c")))
    assert refused.value.metadata["last_chunk"] == "1"
    assert [row["item_key"] for row in await world.rows(KEYS)] == ["a"]


async def test_a_known_chunk_with_further_tasks_keeps_all_of_them_in_some_order(world: World, upload: Upload) -> None:
    await upload(chunk(1, task("a"), task("b")))
    assert counts(await upload(chunk(1, task("c"), task("b")))) == (1, 1, 0)
    assert {row["item_key"] for row in await world.rows(KEYS)} == {"a", "b", "c"}


async def test_nothing_is_added_to_a_batch_that_was_opened(world: World, upload: Upload) -> None:
    told = await upload(chunk(1, task("a")))
    await world.rows("UPDATE batch SET state = 2")
    with pytest.raises(BatchNotStaging):
        await upload(chunk(2, task("b")))
    assert told.batch.tasks == (await world.row("SELECT tasks FROM batch"))["tasks"] == 1


async def test_the_header_is_the_first_message_and_no_other(world: World, upload: Upload) -> None:
    call = world.call(upload.caller)
    for requests in ([], [chunk(1, task("a"))]):
        with pytest.raises(HeaderMissing) as refused:
            await upload_batch(call, stream(*requests))
        assert refused.value.field == "header"
    assert await world.rows("SELECT FROM batch") == []
    with pytest.raises(HeaderMissing):
        await upload(chunk(1, task("a")), upload.header, chunk(2, task("b")))
    assert [row["item_key"] for row in await world.rows(KEYS)] == ["a"]  # a chunk before the mistake stays


async def test_a_foreign_project_and_a_missing_one_are_told_alike(world: World) -> None:
    project = await world.project()
    told = []
    for attempt in (Upload(world, project, new_id()), Upload(world, new_id())):
        with pytest.raises(NotYours) as refused:
            await attempt(chunk(1, task("a")))
        told.append((refused.value.message, refused.value.metadata, refused.value.field))
    assert told[0] == told[1]
    assert await world.rows("SELECT FROM batch") == []


async def test_a_malformed_project_name_is_refused_with_its_field(world: World) -> None:
    with pytest.raises(ServiceError) as refused:
        await Upload(world, "march")(chunk(1, task("a")))
    assert (refused.value.reason, refused.value.field) == ("INVALID_NAME", "header.project")


async def test_the_same_batch_key_in_another_project_is_another_batch(world: World, upload: Upload) -> None:
    other = Upload(world, await world.project())
    first, second = await upload(chunk(1, task("a"))), await other(chunk(1, task("a")))
    assert first.batch.name != second.batch.name
    assert first.batch.project != second.batch.project


async def test_a_task_that_could_not_go_all_the_way_is_refused_with_part_size_and_limit(
    world: World, upload: Upload
) -> None:
    huge, said, whole = task("huge", "x" * 4_100_000), task("said"), task("whole", "x" * 500_000)
    comments = Answer(fact_check=FactCheckAnswer(verdicts=[ClaimVerdict(claim_id="c", comment="x" * 950_000)]))
    said.predictions.add(model="m", answer=comments)
    whole.gold_key.CopyFrom(Answer(pairwise_preference=PairwisePreferenceAnswer(justification="x" * 200_000)))
    told = await upload(chunk(1, huge), chunk(2, said, whole, task("k" * 3_000_000, "x"), task("right")))
    assert [(error.item_key[:10], error.reason, error.field) for error in told.errors] == [
        ("huge", "TOO_LARGE", "payload"),
        ("said", "TOO_LARGE", "predictions[0].answer"),
        ("whole", "TOO_LARGE", "payload.pairwise_preference.turns"),
        ("k" * 10, "TOO_LARGE", "item_key"),
    ]
    assert told.errors[0].message == f"The payload must have at most 524,288 bytes, not {huge.payload.ByteSize():,}."
    assert told.ByteSize() < 5_000
    assert [row["item_key"] for row in await world.rows(KEYS)] == ["right"]


async def test_errors_beyond_a_thousand_are_counted_but_not_listed(world: World, upload: Upload) -> None:
    bad = [NewTask(item_key=f"bad{n}") for n in range(600)]
    told = await upload(chunk(1, *bad), chunk(2, *bad, task("good")))
    assert (counts(told), len(told.errors)) == ((1, 0, 1200), 1000)


async def test_a_chunk_of_a_thousand_takes_as_many_statements_as_one_of_ten(world: World, upload: Upload) -> None:
    batch_id = await world.staged()
    taken = []
    for sequence, number in ((2, 10), (3, 10), (4, 1000)):  # the first lets the driver ask the server about types
        rows = [new_task(f"{sequence}-{place}", place) for place in range(number)]
        store = partial(store_chunk, batch_id=batch_id, sequence=sequence, tasks=rows)
        taken.append(await world.statements(store))
    assert taken[1] == taken[2]
