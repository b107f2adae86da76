"""The policy of gRPC methods: who may call each, and whose rows it touches, as the option on the method says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from preceptor.options.v1 import access_pb2

from chassis.contract.descriptors import ContractError, services

ANYONE = "ANYONE"
OPERATIONS = "ops"
"""The package of what every service serves for its operators, which belongs to no service of its own."""


@dataclass(frozen=True, slots=True)
class MethodPolicy:
    """Who may call a method, whose rows it touches, and what it takes and gives."""

    path: str
    """As on the wire, like "/preceptor.tasking.v1.WorkService/ClaimTask"."""
    service: str
    """Full name, like "preceptor.tasking.v1.WorkService"."""
    method: str
    callers: frozenset[str]
    """Kinds of caller as in access tokens, like "EXPERT"; `ANYONE` stands alone and needs no token."""
    owner: str
    """NOBODY, VENDOR, EXPERT or PLATFORM."""
    has_request_id: bool
    """Whether a request names itself by `request_id`, which makes repeating it safe."""
    read_only: bool
    """Whether the contract promises no side effects."""
    client_streaming: bool
    server_streaming: bool
    request_class: type[Message]
    response_class: type[Message]


@cache
def policies(service: str) -> Mapping[str, MethodPolicy]:
    """The policies of a service's methods by path, for a service like "tasking". Raises as `policies_of` does."""
    return policies_of(services(f"preceptor.{service}.v1"))


def policies_of(contracts: Iterable[ServiceDescriptor]) -> Mapping[str, MethodPolicy]:
    """The policies of some gRPC services' methods by path.

    Raises `ContractError` that names each method without access, without owner, or open to anyone and someone.
    """
    methods = [method for service in contracts for method in service.methods]
    ContractError.raise_for(problem for method in methods for problem in _problems(method))
    made = [_policy(method) for method in methods]
    return MappingProxyType({policy.path: policy for policy in made})


def _policy(method: MethodDescriptor) -> MethodPolicy:
    access = method.GetOptions().Extensions[access_pb2.access]
    service = method.containing_service.full_name
    return MethodPolicy(
        path=f"/{service}/{method.name}",
        service=service,
        method=method.name,
        callers=frozenset(access_pb2.Caller.Name(caller).removeprefix("CALLER_") for caller in access.callers),
        owner=access_pb2.Owner.Name(access.owner).removeprefix("OWNER_"),
        has_request_id="request_id" in method.input_type.fields_by_name,
        read_only=method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS,
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        request_class=GetMessageClass(method.input_type),
        response_class=GetMessageClass(method.output_type),
    )


def _problems(method: MethodDescriptor) -> Iterator[str]:
    """What is wrong with the access that a method states."""
    access, name = method.GetOptions().Extensions[access_pb2.access], method.full_name
    known = set(access_pb2.Caller.values()) - {access_pb2.CALLER_UNSPECIFIED}
    if not access.callers:
        yield f"{name} does not say who may call it: option (preceptor.options.v1.access) has no callers"
        return
    if not known.issuperset(access.callers):
        yield f"{name} names an unspecified or unknown kind of caller"
    if access_pb2.CALLER_ANYONE in access.callers and len(access.callers) > 1:
        yield f"{name} is open to anyone: it must name no other caller"
    if access.owner not in set(access_pb2.Owner.values()) - {access_pb2.OWNER_UNSPECIFIED}:
        yield f"{name} does not say whose rows it touches: its access has no owner"
