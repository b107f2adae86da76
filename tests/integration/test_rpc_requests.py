"""Bad requests are refused with what is wrong and where; repeated ones are done once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio
from google.protobuf.message import Message
from grpc import StatusCode
from preceptor.identity.v1 import account_pb2, vendor_pb2
from preceptor.tasking.v1 import batch_pb2, batch_pb2_grpc, project_pb2, review_pb2
from preceptor.work.v1.work_pb2 import Claim

from chassis.ids import parse_name
from chassis.rpc.call import Caller
from tests.support.calls import bearer, invoke, refusal
from tests.support.platform import Live, staff, vendor
from tests.support.tasking import payload
from tests.support.tenant import Tenant, settle

REGISTER = "/preceptor.identity.v1.AccountService/RegisterExpert"
CREATE_VENDOR = "/preceptor.identity.v1.VendorService/CreateVendor"
CREATE_PROJECT = "/preceptor.tasking.v1.ProjectService/CreateProject"
UPLOAD = "/preceptor.tasking.v1.BatchService/UploadBatch"
OPEN_BATCH = "/preceptor.tasking.v1.BatchService/OpenBatch"
LIST_RESULTS = "/preceptor.tasking.v1.BatchService/ListResults"
LIST_CASES = "/preceptor.tasking.v1.ReviewService/ListCases"

_MEBIBYTE = 1024 * 1024
ADMIN = staff("ADMIN")


@pytest_asyncio.fixture(scope="module")
async def tenant(live: Live) -> AsyncIterator[Tenant]:
    """A vendor with an open batch of three tasks."""
    yield await settle(live)


async def test_every_field_at_fault_is_named(live: Live) -> None:
    said = await refusal(ask(live, REGISTER, account_pb2.RegisterExpertRequest(email="ann", locales=["en", "!"])))

    assert (said.code, said.reason, said.domain) == (StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", "preceptor")
    assert said.fields.keys() == {"email", "password", "display_name", "locales[1]"}
    assert all(said.fields.values())


async def test_fields_inside_of_fields_are_named_by_their_path(live: Live) -> None:
    request = project_pb2.CreateProjectRequest(project=project_pb2.Project(required_claims=[Claim(kind="Is Bad")]))

    said = await refusal(ask(live, CREATE_PROJECT, request, vendor()))

    assert {"project.display_name", "project.redundancy", "project.required_claims[0].kind"} <= said.fields.keys()


async def test_a_request_with_very_many_faults_still_tells_the_first_ones(live: Live) -> None:
    said = await refusal(ask(live, REGISTER, account_pb2.RegisterExpertRequest(locales=["?" * n for n in range(50)])))

    assert said.reason == "INVALID_REQUEST"
    assert len(said.fields) == 20


async def test_bytes_that_are_no_message_are_a_bad_request(live: Live) -> None:
    not_utf8 = b"\x0a\x02\xff\xfe"

    said = [await refusal(ask(live, REGISTER, raw)) for raw in (not_utf8, b"\xff\xff", b"\x0a\x7f")]

    assert {(each.code, each.reason) for each in said} == {(StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST")}


async def test_a_bad_message_in_a_stream_is_a_bad_request(live: Live) -> None:
    unreadable = await refusal(ask(live, UPLOAD, b"\xff\xff", vendor()))
    empty = await refusal(ask(live, UPLOAD, batch_pb2.UploadBatchRequest(), vendor()))

    assert (unreadable.reason, empty.reason) == ("MALFORMED_REQUEST", "INVALID_REQUEST")
    assert empty.fields.keys() == {"message"}


async def test_a_message_that_is_too_large_is_refused_and_the_server_lives_on(live: Live) -> None:
    huge = account_pb2.RegisterExpertRequest(display_name="x" * 5 * _MEBIBYTE)

    said = await refusal(ask(live, REGISTER, huge))

    assert said.code == StatusCode.RESOURCE_EXHAUSTED
    assert (await refusal(ask(live, REGISTER))).reason == "INVALID_REQUEST"


async def test_a_request_id_with_another_body_is_refused(live: Live) -> None:
    request_id = str(uuid4())
    await ask(live, CREATE_VENDOR, vendor_pb2.CreateVendorRequest(display_name="One", request_id=request_id), ADMIN)

    again = vendor_pb2.CreateVendorRequest(display_name="Two", request_id=request_id)
    said = await refusal(ask(live, CREATE_VENDOR, again, ADMIN))

    assert (said.code, said.reason) == (StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")
    assert said.fields.keys() == {"request_id"}


async def test_a_request_id_is_the_caller_s_own(live: Live) -> None:
    request = vendor_pb2.CreateVendorRequest(display_name="One", request_id=str(uuid4()))

    responses = [await ask(live, CREATE_VENDOR, request, staff("ADMIN")) for _ in range(2)]

    assert responses[0] != responses[1]


async def test_fifty_repeats_at_once_make_one_thing_and_get_one_response(live: Live) -> None:
    display_name = f"Fifty times {uuid4()}"
    request = vendor_pb2.CreateVendorRequest(display_name=display_name, request_id=str(uuid4()))

    responses = await asyncio.gather(*(ask(live, CREATE_VENDOR, request, ADMIN) for _ in range(50)))

    assert len(set(responses)) == 1
    async with live.administrator("identity") as database:
        assert await database.fetchval("SELECT count(*) FROM vendor WHERE display_name = $1", display_name) == 1


async def test_fifty_repeats_of_what_can_be_done_only_once_get_the_first_one_s_response(
    live: Live, tenant: Tenant
) -> None:
    batch = await staged_batch(live, tenant)
    request = batch_pb2.OpenBatchRequest(name=batch, request_id=str(uuid4()))

    responses = await asyncio.gather(*(ask(live, OPEN_BATCH, request, tenant.vendor) for _ in range(50)))

    assert len(set(responses)) == 1
    async with live.administrator("tasking") as database:
        batch_id = parse_name("batches", batch, "name")
        assert await database.fetchval("SELECT attempt FROM batch WHERE batch_id = $1", batch_id) == 1


async def test_a_request_that_failed_may_be_repeated(live: Live, tenant: Tenant) -> None:
    batch = await staged_batch(live, tenant, tasks=False)
    request = batch_pb2.OpenBatchRequest(name=batch, request_id=str(uuid4()))

    first = await refusal(ask(live, OPEN_BATCH, request, tenant.vendor))
    second = await refusal(ask(live, OPEN_BATCH, request, tenant.vendor))

    assert first == second
    assert first.reason == "BATCH_EMPTY"


async def test_pages_follow_each_other_to_the_end(live: Live, tenant: Tenant) -> None:
    seen: list[str] = []
    request = batch_pb2.ListResultsRequest(parent=tenant.owned["batches"], page_size=2)
    for size in (2, 1):
        page = batch_pb2.ListResultsResponse.FromString(await ask(live, LIST_RESULTS, request, tenant.vendor))
        assert len(page.results) == size
        seen += [result.item_key for result in page.results]
        request.page_token = page.next_page_token

    assert seen == ["t0", "t1", "t2"]
    assert not request.page_token


@pytest.mark.parametrize("token", ["A", "AAAA", "no token", "ü", "=" * 8, "A" * 100])
async def test_what_is_no_page_token_is_refused(live: Live, tenant: Tenant, token: str) -> None:
    request = batch_pb2.ListResultsRequest(parent=tenant.owned["batches"], page_token=token)

    said = await refusal(ask(live, LIST_RESULTS, request, tenant.vendor))

    assert (said.code, said.reason) == (StatusCode.INVALID_ARGUMENT, "INVALID_PAGE_TOKEN")
    assert said.fields.keys() == {"page_token"}


async def test_a_page_token_is_good_for_its_own_list_only(live: Live, tenant: Tenant) -> None:
    request = batch_pb2.ListResultsRequest(parent=tenant.owned["batches"], page_size=1)
    page = batch_pb2.ListResultsResponse.FromString(await ask(live, LIST_RESULTS, request, tenant.vendor))
    other = await staged_batch(live, tenant)

    of_another_batch = batch_pb2.ListResultsRequest(parent=other, page_token=page.next_page_token)
    of_another_method = review_pb2.ListCasesRequest(page_token=page.next_page_token)
    said = [
        await refusal(ask(live, LIST_RESULTS, of_another_batch, tenant.vendor)),
        await refusal(ask(live, LIST_CASES, of_another_method, staff("QUALITY_REVIEWER"))),
    ]

    assert {each.reason for each in said} == {"INVALID_PAGE_TOKEN"}


async def test_a_page_token_opens_nothing_for_another_vendor(live: Live, tenant: Tenant) -> None:
    request = batch_pb2.ListResultsRequest(parent=tenant.owned["batches"], page_size=1)
    page = batch_pb2.ListResultsResponse.FromString(await ask(live, LIST_RESULTS, request, tenant.vendor))
    request.page_token = page.next_page_token

    assert (await refusal(ask(live, LIST_RESULTS, request, vendor()))).reason == "NOT_YOURS"


async def test_a_negative_page_size_is_refused_and_a_huge_one_cut(live: Live, tenant: Tenant) -> None:
    negative = batch_pb2.ListResultsRequest(parent=tenant.owned["batches"], page_size=-1)
    huge = batch_pb2.ListResultsRequest(parent=tenant.owned["batches"], page_size=2**31 - 1)

    assert (await refusal(ask(live, LIST_RESULTS, negative, tenant.vendor))).fields.keys() == {"page_size"}
    assert await ask(live, LIST_RESULTS, huge, tenant.vendor)


async def staged_batch(live: Live, tenant: Tenant, *, tasks: bool = True) -> str:
    """A new batch of the tenant's project, with one task or none, not opened."""
    header = batch_pb2.UploadHeader(project=tenant.owned["projects"], batch_key=str(uuid4()))
    messages = [batch_pb2.UploadBatchRequest(header=header)]
    if tasks:
        task = batch_pb2.NewTask(item_key="only", payload=payload())
        messages.append(batch_pb2.UploadBatchRequest(chunk=batch_pb2.UploadChunk(sequence=1, tasks=[task])))
    batches = batch_pb2_grpc.BatchServiceStub(live.channels["tasking"])
    return (await batches.UploadBatch(iter(messages), metadata=bearer(live.token(tenant.vendor)))).batch.name


async def ask(live: Live, path: str, request: Message | bytes = b"", caller: Caller | None = None) -> bytes:
    """Calls a method as somebody, or as nobody."""
    channel, policy = live.method(path)
    return await invoke(channel, policy, request, bearer(live.token(caller) if caller else None))
