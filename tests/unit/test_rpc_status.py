"""Errors leave as statuses with details: a stable reason always, fields and waiting times where they are known."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TypeVar
from urllib.parse import quote

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from chassis import errors
from chassis.errors import Code, InvalidArgument, NotFound, ResourceExhausted, ServiceError
from chassis.rpc.pipeline import InternalError
from chassis.rpc.status import to_status

M = TypeVar("M", bound=Message)


class TeapotBroken(NotFound):
    """The teapot is broken: take another one.

    More about teapots is nobody's business.
    """

    reason = "TEAPOT_BROKEN"


def detail(status: Status, kind: type[M]) -> M | None:
    """The only detail of a kind; each kind stands at most once (AIP-193)."""
    named = f"/{kind.DESCRIPTOR.full_name}"
    found = [packed for packed in status.details if packed.type_url.endswith(named)]
    assert len(found) <= 1
    return kind.FromString(found[0].value) if found else None


def test_an_error_tells_its_reason_domain_and_facts() -> None:
    status = to_status(TeapotBroken(teapot="7"))

    assert (status.code, status.message) == (5, "The teapot is broken: take another one.")
    assert detail(status, ErrorInfo) == ErrorInfo(reason="TEAPOT_BROKEN", domain="preceptor", metadata={"teapot": "7"})
    assert len(status.details) == 1


@pytest.mark.parametrize("error", [InvalidArgument(field="name"), NotFound(field="name")])
def test_a_field_at_fault_is_named(error: ServiceError) -> None:
    bad_request = detail(to_status(error), BadRequest)

    assert bad_request
    assert [(each.field, each.description) for each in bad_request.field_violations] == [("name", error.message)]


def test_several_fields_at_fault_are_named_in_one_detail() -> None:
    status = to_status(InvalidArgument(violations=[("a", "is missing"), ("b[1].c", "is too long")]))

    bad_request = detail(status, BadRequest)
    assert bad_request
    assert [each.field for each in bad_request.field_violations] == ["a", "b[1].c"]


def test_how_long_to_wait_is_told() -> None:
    retry = detail(to_status(ResourceExhausted(retry_after=timedelta(seconds=1.5))), RetryInfo)

    assert retry
    assert retry.retry_delay.ToTimedelta() == timedelta(seconds=1.5)


def test_an_internal_error_tells_its_incident_only() -> None:
    info = detail(to_status(InternalError(incident="0199")), ErrorInfo)

    assert info == ErrorInfo(reason="INTERNAL", domain="preceptor", metadata={"incident": "0199"})


@pytest.mark.parametrize("code", Code)
def test_every_code_is_one_of_grpc(code: Code) -> None:
    assert grpc.StatusCode[code.name].value[0] == code.value


def test_only_what_may_succeed_later_is_retryable() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, ServiceError)]

    assert {kind.code for kind in kinds if kind.retryable} == {
        Code.ABORTED,
        Code.DEADLINE_EXCEEDED,
        Code.RESOURCE_EXHAUSTED,
        Code.UNAVAILABLE,
    }


_TEXTS = st.one_of(
    st.text(max_size=50), st.builds(str.__mul__, st.sampled_from(["x", "é", "𝄞", "\0", "%"]), st.integers(0, 100_000))
)


@given(
    _TEXTS,
    _TEXTS,
    st.lists(st.tuples(_TEXTS, _TEXTS), max_size=200),
    st.dictionaries(st.sampled_from("abcdef"), _TEXTS),
)
def test_whatever_an_error_quotes_it_fits_into_the_trailers_that_clients_take(
    message: str, field: str, violations: list[tuple[str, str]], metadata: dict[str, str]
) -> None:
    error = InvalidArgument(message or "m", field=field, violations=violations)
    error.metadata = metadata
    status = to_status(error)
    trailers = len(quote(status.message)) + len(base64.b64encode(status.SerializeToString()))
    assert trailers < 8 * 1024 - 100
    assert detail(status, ErrorInfo) is not None
