"""Calls to a live server by the bare wire, and what a refusal of one says."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, field

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis.contract.access import MethodPolicy

Metadata = tuple[tuple[str, str | bytes], ...]


@dataclass(frozen=True)
class Refusal:
    """What a program can read from a refused call; `fields` are the request's fields at fault with their messages."""

    code: grpc.StatusCode
    reason: str = ""
    domain: str = ""
    message: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


def bearer(token: str | None) -> Metadata:
    """The metadata that carries a token, none for nobody."""
    return (("authorization", f"Bearer {token}"),) if token else ()


def invoke(
    channel: grpc.aio.Channel,
    policy: MethodPolicy,
    request: Message | bytes = b"",
    metadata: Metadata = (),
    seconds: float = 20.0,
) -> Awaitable[bytes]:
    """A call of a method with one request; gives the response's bytes.

    A method that takes a stream gets a stream of one, which is the same on the wire. It is sent whole: a write that
    meets the end of a call hides the server's status (https://github.com/grpc/grpc/issues/36066).
    """
    raw = request if isinstance(request, bytes) else request.SerializeToString()
    return channel.unary_unary(policy.path, _as_it_is, _as_it_is)(raw, metadata=metadata, timeout=seconds)


async def outcome(call: Awaitable[bytes]) -> Refusal | None:
    """How the server refuses a call; nothing if it does not."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return read_refusal(error)
    return None


async def refusal(call: Awaitable[object]) -> Refusal:
    """How the server refuses a call, which it must."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call
    return read_refusal(refused.value)


def read_refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """The refusal in an error, with its `google.rpc` details where it has any."""
    raw = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    details = status_pb2.Status.FromString(raw if isinstance(raw, bytes) else b"").details
    info, bad_request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in details:
        _ = detail.Unpack(info) or detail.Unpack(bad_request)
    fields = {violation.field: violation.description for violation in bad_request.field_violations}
    return Refusal(error.code(), info.reason, info.domain, error.details() or "", dict(info.metadata), fields)


def _as_it_is(raw: bytes) -> bytes:
    return raw
