"""Step 7: every error leaves as a gRPC status with `google.rpc` details that a program can act on."""

from __future__ import annotations

from typing import NoReturn, TypeVar

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis.errors import InvalidArgument, ServiceError

DOMAIN = "preceptor"
_CODES = {code.value[0]: code for code in grpc.StatusCode}

Q = TypeVar("Q")
A = TypeVar("A", bound=Message)


async def abort(context: grpc.aio.ServicerContext[Q, A], error: ServiceError) -> NoReturn:
    """Ends the call with the error's code, message and details."""
    status = to_status(error)
    await context.abort(
        _CODES[error.code.value],
        error.message,
        (("grpc-status-details-bin", status.SerializeToString()),),
    )


def to_status(error: ServiceError) -> status_pb2.Status:
    """The error as a `google.rpc.Status`: ErrorInfo always, BadRequest and RetryInfo where they apply."""
    status = status_pb2.Status(code=error.code.value, message=error.message)
    status.details.extend(_packed(detail) for detail in _details(error))
    return status


def _details(error: ServiceError) -> list[Message]:
    details: list[Message] = [error_details_pb2.ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=error.metadata)]
    violations = error.violations if isinstance(error, InvalidArgument) else _single(error)
    if violations:
        bad_request = error_details_pb2.BadRequest()
        for field, description in violations:
            bad_request.field_violations.add(field=field, description=description)
        details.append(bad_request)
    if error.retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(error.retry_after)
        details.append(retry)
    return details


def _single(error: ServiceError) -> tuple[tuple[str, str], ...]:
    return ((error.field, error.message),) if error.field else ()


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
