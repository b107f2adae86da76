"""Step 5: whether the request is small enough and well formed, by what the contract states of it and its fields.

Sizes come first: nothing is looked at of a request that is larger than any request of its type may be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from chassis.contract.counts import overfull
from chassis.contract.largest import LARGEST_MESSAGE, largest
from chassis.contract.sizes import Oversized, heaviest, oversized
from chassis.errors import InvalidArgument

M = TypeVar("M", bound=Message)

_MOST_VIOLATIONS = 20
# For fields that the contract of a newer client has.
_UNKNOWN_FIELDS = 4096
# Numbers may come in fewer bytes than they are written in.
_GROWTH = 2


class MalformedRequest(InvalidArgument):
    """The bytes of the request are no message of the type that the method takes."""

    reason = "MALFORMED_REQUEST"


class RequestTooLarge(InvalidArgument):
    """The request is too large: send less at once, or stream it."""

    reason = "REQUEST_TOO_LARGE"


class TooLarge(InvalidArgument):
    """A part of the request is larger than it may be: make it smaller, or send it in parts."""

    reason = "TOO_LARGE"

    @classmethod
    def of(cls, parts: Sequence[Oversized]) -> TooLarge:
        """The error that names parts of a request, with the sizes of the first for programs."""
        first = parts[0]
        return cls(
            violations=[(part.field, part.words) for part in parts[:_MOST_VIOLATIONS]],
            field=first.field,
            size=str(first.size),
            limit=str(first.limit),
        )


class InvalidRequest(InvalidArgument):
    """The request does not fit the contract: mend the fields named."""

    reason = "INVALID_REQUEST"


def read_request(request_class: type[M], raw: bytes) -> M:
    """The request in these bytes.

    Raises `RequestTooLarge` or `TooLarge` with size and limit, `MalformedRequest`, or `InvalidRequest` naming every
    field at fault.
    """
    try:
        request = request_class.FromString(raw)
    except DecodeError as error:
        raise MalformedRequest from error
    if parts := oversized(request, at_most=_GROWTH * len(raw)):
        raise TooLarge.of(parts)
    if len(raw) > (limit := request_limit(request_class)):
        raise RequestTooLarge(
            f"The request has {len(raw):,} bytes, at most {limit:,} are taken: send less at once.",
            field=heaviest(request),
            size=str(len(raw)),
            limit=str(limit),
        )
    if violations := violations_of(request):
        raise InvalidRequest(violations=violations)
    return request


def request_limit(request_class: type[Message]) -> int:
    """The most bytes of a request: those of the largest that keeps all rules, and some to spare."""
    most = largest(request_class.DESCRIPTOR)
    return LARGEST_MESSAGE if most is None else min(LARGEST_MESSAGE, most + _UNKNOWN_FIELDS)


def violations_of(message: Message) -> list[tuple[str, str]]:
    """The broken rules of a message, as pairs of field path and message, at most 20.

    Of lists that are too long only that is told: their items would be looked at while everybody else waits.
    """
    if too_long := overfull(message):
        return [too_long]
    if not (found := protovalidate.collect_violations(message)):
        return []
    return [(_path(violation), violation.proto.message) for violation in found[:_MOST_VIOLATIONS]]


def _path(violation: protovalidate.Violation) -> str:
    """The path of a field at fault, like ``project.required_claims[0].kind``."""
    elements = violation.proto.field.elements if violation.proto.field else []
    return ".".join(
        f"{element.field_name}[{element.subscript.value}]" if element.subscript else element.field_name
        for element in elements
    )
