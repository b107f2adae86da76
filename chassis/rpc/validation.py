"""Step 5: whether the request is well formed, by the rules that the contract states on its fields."""

from __future__ import annotations

import protovalidate
from google.protobuf.message import Message

from chassis.errors import InvalidArgument

_MOST_VIOLATIONS = 20


class InvalidRequest(InvalidArgument):
    """The request does not fit the contract: mend the fields named."""

    reason = "INVALID_REQUEST"


def check_request(request: Message) -> None:
    """Raises `InvalidRequest` naming every field at fault."""
    if violations := violations_of(request):
        raise InvalidRequest(violations=violations)


def violations_of(message: Message) -> list[tuple[str, str]]:
    """The broken rules of a message, as pairs of field path and message, at most 20."""
    found = protovalidate.collect_violations(message)
    return [(_path(violation), violation.proto.message) for violation in found[:_MOST_VIOLATIONS]]


def _path(violation: protovalidate.Violation) -> str:
    """The path of a field at fault, like ``project.required_claims[0].kind``."""
    elements = violation.proto.field.elements if violation.proto.field else []
    return ".".join(
        f"{element.field_name}[{element.subscript.value}]" if element.subscript else element.field_name
        for element in elements
    )
