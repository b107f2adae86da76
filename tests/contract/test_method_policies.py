"""Each method says who may call it and is reachable as JSON; lists page alike; what moves money can be repeated."""

from collections.abc import Iterator

import protovalidate
import pytest
from buf.validate import validate_pb2
from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor import FieldDescriptor, MethodDescriptor
from preceptor.options.v1.access_pb2 import (
    CALLER_ANYONE,
    CALLER_EXPERT,
    CALLER_UNSPECIFIED,
    OWNER_EXPERT,
    Access,
    Caller,
)

from chassis.contract.access import MethodPolicy, policies, policies_of
from chassis.contract.descriptors import ContractError, files, owner_of
from tests.contract.made_up import service_file


def every_method() -> Iterator[tuple[MethodDescriptor, MethodPolicy]]:
    for file in files():
        for service in file.services_by_name.values():
            for method in service.methods:
                yield method, policies(owner_of(file.package))[f"/{service.full_name}/{method.name}"]


METHODS = [pytest.param(method, policy, id=policy.path) for method, policy in every_method()]
LISTS = [pytest.param(method, id=policy.path) for method, policy in every_method() if method.name.startswith("List")]


def http_rule(method: MethodDescriptor) -> http_pb2.HttpRule:
    rule: http_pb2.HttpRule = method.GetOptions().Extensions[annotations_pb2.http]  # type: ignore[index]
    return rule


def rules_of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    return field.GetOptions().Extensions[validate_pb2.field]


@pytest.mark.parametrize(("method", "policy"), METHODS)
def test_a_method_states_access(method: MethodDescriptor, policy: MethodPolicy) -> None:
    assert policy.callers
    assert policy.owner != "UNSPECIFIED"


@pytest.mark.parametrize(("method", "policy"), METHODS)
def test_a_method_is_reachable_as_json(method: MethodDescriptor, policy: MethodPolicy) -> None:
    rule = http_rule(method)
    verb = rule.WhichOneof("pattern")
    assert verb is not None, "the method has no google.api.http annotation"
    assert getattr(rule, verb).startswith("/v1/")
    assert (verb == "get") == policy.read_only, "what is read is got, and promises NO_SIDE_EFFECTS"
    assert rule.body == ("*" if verb in {"post", "patch"} else "")


def test_no_two_methods_share_an_address() -> None:
    addresses = [str(http_rule(method)) for method, _ in every_method()]
    assert sorted(addresses) == sorted(set(addresses))


@pytest.mark.parametrize("method", LISTS)
def test_a_list_pages_as_all_lists_do(method: MethodDescriptor) -> None:
    asked, given = method.input_type.fields_by_name, method.output_type.fields_by_name
    assert asked["page_size"].type == FieldDescriptor.TYPE_INT32
    assert rules_of(asked["page_size"]).int32.gte == 0
    assert rules_of(asked["page_size"]).int32.WhichOneof("less_than") is None, "what is too large is cut, not refused"
    assert asked["page_token"].type == FieldDescriptor.TYPE_STRING
    assert given["next_page_token"].type == FieldDescriptor.TYPE_STRING
    assert method.output_type.fields_by_number[1].is_repeated
    assert not method.server_streaming


@pytest.mark.parametrize(("method", "policy"), METHODS)
def test_a_request_id_is_a_uuid(method: MethodDescriptor, policy: MethodPolicy) -> None:
    if policy.has_request_id:
        assert rules_of(method.input_type.fields_by_name["request_id"]).string.uuid


@pytest.mark.parametrize(("method", "policy"), METHODS)
def test_what_moves_money_can_be_repeated(method: MethodDescriptor, policy: MethodPolicy) -> None:
    if policy.service.startswith("preceptor.payouts.") and not policy.read_only:
        rules = rules_of(method.input_type.fields_by_name["request_id"])
        assert rules.ignore == validate_pb2.IGNORE_UNSPECIFIED, "request_id must be required"


@pytest.mark.parametrize(("method", "policy"), METHODS)
def test_the_rules_of_a_request_can_be_applied(method: MethodDescriptor, policy: MethodPolicy) -> None:
    # An expression that does not compile raises instead of being collected.
    protovalidate.collect_violations(policy.request_class())


@pytest.mark.parametrize(
    ("access", "fault"),
    [
        (None, "does not say who may call it"),
        (Access(owner=OWNER_EXPERT), "does not say who may call it"),
        (Access(callers=[CALLER_EXPERT]), "does not say whose rows it touches"),
        (Access(callers=[CALLER_EXPERT, CALLER_UNSPECIFIED], owner=OWNER_EXPERT), "unspecified or unknown"),
        (Access(callers=[Caller.ValueType(99)], owner=OWNER_EXPERT), "unspecified or unknown"),
        (Access(callers=[CALLER_ANYONE, CALLER_EXPERT], owner=OWNER_EXPERT), "open to anyone"),
    ],
)
def test_a_method_without_clear_access_is_refused_by_name(access: Access | None, fault: str) -> None:
    services = service_file(access).services_by_name.values()
    with pytest.raises(ContractError, match=rf"preceptor\.tasking\.v1\.WorkService\.ClaimTask .*{fault}"):
        policies_of(services)


def test_a_method_s_policy_is_what_its_contract_says() -> None:
    policy = policies("tasking")["/preceptor.tasking.v1.WorkService/ClaimTask"]
    assert (sorted(policy.callers), policy.owner, policy.has_request_id) == (["EXPERT"], "EXPERT", True)
    assert (policy.client_streaming, policy.server_streaming, policy.read_only) == (False, False, False)
