"""Step 7: every error leaves as a gRPC status with `google.rpc` details that a program can act on.

It leaves in the trailers of the response, of which clients take eight kilobytes: what it quotes is cut, and of many
violations the first are told.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis.errors import InvalidArgument, ServiceError

DOMAIN = "preceptor"
# In bytes. The message is in the trailers twice, once with each byte escaped, and the details in base64.
_TRAILERS = 7_500
_LONGEST_MESSAGE = 500
_MOST_METADATA = 1_500
_LONGEST_VIOLATION = 400
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Q = TypeVar("Q")
A = TypeVar("A", bound=Message)


async def abort(context: grpc.aio.ServicerContext[Q, A], error: ServiceError) -> NoReturn:
    """Ends the call with the error's code, message and details."""
    status = to_status(error)
    await context.abort(
        _CODES[error.code.value],
        status.message,
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


def to_status(error: ServiceError) -> status_pb2.Status:
    """The error as a `google.rpc.Status`: ErrorInfo always, BadRequest and RetryInfo where they apply."""
    status = status_pb2.Status(code=error.code.value, message=_cut(error.message, _LONGEST_MESSAGE))
    room = (_TRAILERS - 3 * len(status.message.encode())) * 3 // 4 - status.ByteSize()
    status.details.extend(_packed(detail) for detail in _details(error, room))
    return status


def _details(error: ServiceError, room: int) -> list[Message]:
    """The details, in so many bytes."""
    longest = _MOST_METADATA // max(1, len(error.metadata))
    metadata = {key: _cut(value, longest) for key, value in error.metadata.items()}
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=metadata)]
    violations = error.violations if isinstance(error, InvalidArgument) else _single(error)
    if violations:
        details.append(_bad_request(violations, room - details[0].ByteSize()))
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        details.append(retry)
    return details


def _bad_request(violations: Iterable[tuple[str, str]], room: int) -> error_details_pb2.BadRequest:
    """The first violations, as many as there is room for."""
    told = error_details_pb2.BadRequest()
    for field, description in violations:
        told.field_violations.add(
            field=_cut(field, _LONGEST_VIOLATION), description=_cut(description, _LONGEST_VIOLATION)
        )
        if told.ByteSize() > room:
            del told.field_violations[-1]
            break
    return told


def _cut(text: str, longest: int) -> str:
    """The text as far as it fits into so many bytes of UTF-8."""
    encoded = text.encode("utf-8", "replace")
    return encoded.decode() if len(encoded) <= longest else encoded[: longest - 3].decode("utf-8", "ignore") + "…"


def _single(error: ServiceError) -> tuple[tuple[str, str], ...]:
    return ((error.field, error.message),) if error.field else ()


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
