"""The methods that the edge serves, with their addresses, as the contracts state them. Nothing is listed by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from functools import cache

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import MethodDescriptor

from chassis.contract.access import ANYONE, OPERATIONS, MethodPolicy, policies
from chassis.contract.descriptors import ContractError, files, owner_of
from chassis.contract.largest import largest

# A variable with its pattern, `**`, or `*`: the parts of an address that stand for something else.
_PART = re.compile(r"\{[^}=]*(?:=(?P<pattern>[^}]*))?\}|(?P<rest>\*\*)|(?P<one>\*)")


class Kind(Enum):
    """What a call is to the edge: each kind has bounds of its own."""

    CALL = "one request and one response, with a token"
    OPEN = "the same for anyone, without a token"
    STREAM = "a stream of requests or of responses, with a token"


@dataclass(frozen=True, slots=True)
class HttpAddress:
    """How a method is called with JSON."""

    verb: str
    pattern: str
    """A regular expression for the whole path."""


@dataclass(frozen=True, slots=True)
class Method:
    """A method of the contracts."""

    owner: str
    """The service that serves it, like "tasking"."""
    service: str
    """The gRPC service, like "preceptor.tasking.v1.WorkService"."""
    path: str
    """The path on the wire, like "/preceptor.tasking.v1.WorkService/ClaimTask"."""
    kind: Kind
    largest: int
    """Bytes of the largest request that keeps the rules of its contract."""
    public: bool
    """Whether its reply is the same for everybody and changes nothing, so that it may be kept by whoever reads it."""
    addresses: tuple[HttpAddress, ...]


@cache
def methods() -> tuple[Method, ...]:
    """All methods of all services, but for those of operators, which each service serves for itself, from inside.

    Raises ContractError where the contracts are at fault or not generated.
    """
    return tuple(
        _method(owner_of(file.package), descriptor)
        for file in files()
        if owner_of(file.package) != OPERATIONS
        for service in file.services_by_name.values()
        for descriptor in service.methods
    )


def _method(owner: str, descriptor: MethodDescriptor) -> Method:
    policy = policies(owner)[f"/{descriptor.containing_service.full_name}/{descriptor.name}"]
    rule: http_pb2.HttpRule = descriptor.GetOptions().Extensions[annotations_pb2.http]  # type: ignore[index]
    return Method(
        owner=owner,
        service=policy.service,
        path=policy.path,
        kind=_kind(policy),
        largest=_largest(policy),
        public=ANYONE in policy.callers and policy.read_only and not descriptor.input_type.fields,
        addresses=tuple(_addresses(rule)),
    )


def _largest(policy: MethodPolicy) -> int:
    """Raises ContractError where no rule bounds a request: nobody could say how much of it to hold."""
    most = largest(policy.request_class.DESCRIPTOR)
    if most is None:
        raise ContractError(f"no rule of the contract bounds the requests of {policy.path}")
    return most


def _kind(policy: MethodPolicy) -> Kind:
    """Raises ContractError where a stream is open to anyone: a stranger must not hold anything for long."""
    streams, open_ = policy.client_streaming or policy.server_streaming, ANYONE in policy.callers
    if streams and open_:
        raise ContractError(f"{policy.path} is a stream and open to anyone")
    return Kind.STREAM if streams else Kind.OPEN if open_ else Kind.CALL


def _addresses(rule: http_pb2.HttpRule) -> Iterator[HttpAddress]:
    verb = rule.WhichOneof("pattern")
    if verb is not None:
        yield HttpAddress(verb.upper(), path_pattern(getattr(rule, verb)))
    for other in rule.additional_bindings:
        yield from _addresses(other)


def path_pattern(template: str) -> str:
    """A regular expression for the paths of a `google.api.http` template, like "/v1/{name=batches/*}:open"."""
    made, end = "", 0
    for part in _PART.finditer(template):
        made += re.escape(template[end : part.start()]) + _part_pattern(part)
        end = part.end()
    return made + re.escape(template[end:])


def _part_pattern(part: re.Match[str]) -> str:
    if part["rest"]:
        return ".+"
    if part["one"] or part["pattern"] is None:
        return "[^/]+"
    return path_pattern(part["pattern"])
