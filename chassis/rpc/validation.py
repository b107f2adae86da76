"""Step 5: whether the request is well formed, by the rules that the contract states on its fields."""

from __future__ import annotations

from typing import TypeVar

import protovalidate
from google.protobuf.message import DecodeError, Message

from chassis.errors import InvalidArgument

M = TypeVar("M", bound=Message)

_MOST_VIOLATIONS = 20


class MalformedRequest(InvalidArgument):
    """The bytes of the request are no message of the type that the method takes."""

    reason = "MALFORMED_REQUEST"


class InvalidRequest(InvalidArgument):
    """The request does not fit the contract: mend the fields named."""

    reason = "INVALID_REQUEST"


def read_request(request_class: type[M], raw: bytes) -> M:
    """The request in these bytes. Raises `MalformedRequest`, or `InvalidRequest` naming every field at fault."""
    try:
        request = request_class.FromString(raw)
    except DecodeError as error:
        raise MalformedRequest from error
    if violations := violations_of(request):
        raise InvalidRequest(violations=violations)
    return request


def violations_of(message: Message) -> list[tuple[str, str]]:
    """The broken rules of a message, as pairs of field path and message, at most 20."""
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
