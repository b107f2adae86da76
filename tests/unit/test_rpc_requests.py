"""Before the work: which request is which, what is wrong with it, and how long it may take."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from preceptor.identity.v1.account_pb2 import RegisterExpertRequest
from preceptor.identity.v1.vendor_pb2 import CreateVendorRequest
from preceptor.tasking.v1.batch_pb2 import NewTask, UploadBatchRequest, UploadChunk
from preceptor.tasking.v1.project_pb2 import CreateProjectRequest, Project
from preceptor.work.v1.work_pb2 import Claim

from chassis.contract.access import MethodPolicy, policies
from chassis.rpc.call import Caller
from chassis.rpc.deadline import seconds_left
from chassis.rpc.idempotency import RequestKey, key_of
from chassis.rpc.validation import InvalidRequest, MalformedRequest, read_request, violations_of

CREATE_VENDOR = policies("identity")["/preceptor.identity.v1.VendorService/CreateVendor"]
GET_VENDOR = policies("identity")["/preceptor.identity.v1.VendorService/GetVendor"]
REQUEST_ID = "7d0c2b5e-3f43-4a55-9b5a-1f5f3f6e2a10"


def caller(number: int = 1) -> Caller:
    return Caller(UUID(int=number), "staff", frozenset({"ADMIN"}), UUID(int=2), UUID(int=3))


def key(request: CreateVendorRequest, of: Caller | None = None, policy: MethodPolicy = CREATE_VENDOR) -> RequestKey:
    made = key_of(of or caller(), policy, request)
    assert made
    return made


def test_the_same_request_of_the_same_caller_has_the_same_key() -> None:
    request = CreateVendorRequest(display_name="Acme", request_id=REQUEST_ID)

    assert key(request) == key(CreateVendorRequest.FromString(request.SerializeToString()))


def test_another_body_has_another_digest_under_the_same_id() -> None:
    one, other = (key(CreateVendorRequest(display_name=name, request_id=REQUEST_ID)) for name in ("Acme", "Ajax"))

    assert (one.subject, one.method, one.request_id) == (other.subject, other.method, other.request_id)
    assert one.digest != other.digest


def test_an_id_is_the_caller_s_own_and_the_method_s() -> None:
    request = CreateVendorRequest(display_name="Acme", request_id=REQUEST_ID)

    assert key(request).subject != key(request, caller(9)).subject
    assert key(request).method == CREATE_VENDOR.path


def test_a_request_without_an_id_has_no_key() -> None:
    assert key_of(caller(), CREATE_VENDOR, CreateVendorRequest(display_name="Acme")) is None
    assert key_of(caller(), GET_VENDOR, GET_VENDOR.request_class()) is None


def test_faults_are_named_by_the_path_of_their_field() -> None:
    request = CreateProjectRequest(project=Project(required_claims=[Claim(kind="fine", value="x"), Claim(kind="Bad")]))

    fields = [field for field, _ in violations_of(request)]

    assert "project.required_claims[1].kind" in fields
    assert "project.required_claims[0].kind" not in fields


def test_a_choice_that_was_not_made_is_named() -> None:
    assert violations_of(UploadBatchRequest()) == [("message", "exactly one field is required in oneof")]


def test_tasks_of_a_chunk_are_not_the_chunk_s_fault() -> None:
    assert violations_of(UploadBatchRequest(chunk=UploadChunk(sequence=1, tasks=[NewTask()]))) == []


def test_at_most_twenty_faults_are_told() -> None:
    with pytest.raises(InvalidRequest) as refused:
        read_request(RegisterExpertRequest, RegisterExpertRequest(locales=["!"] * 50).SerializeToString())

    assert len(refused.value.violations) == 20
    assert all(field and message for field, message in refused.value.violations)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_as_a_bad_request(raw: bytes) -> None:
    with suppress(InvalidRequest, MalformedRequest):
        assert read_request(CreateVendorRequest, raw).display_name


@pytest.mark.parametrize(
    ("stated", "seconds"), [(None, 20), (0.5, 0.5), (0.0, 0.0), (59.0, 59), (3600.0, 60), (1e18, 60)]
)
def test_a_call_has_the_client_s_deadline_within_bounds(stated: float | None, seconds: float) -> None:
    assert seconds_left(stated, timedelta(seconds=20), timedelta(seconds=60)) == seconds
