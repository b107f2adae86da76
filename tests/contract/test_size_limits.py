"""Whatever a client may send is bounded by the contract, and so is what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import MethodDescriptor

from chassis.contract.access import ANYONE, MethodPolicy, policies
from chassis.contract.descriptors import files
from chassis.contract.largest import LARGEST_MESSAGE, largest, unbounded
from chassis.rpc.idempotency import LARGEST_KEPT
from chassis.rpc.table import Rpc
from services.identity.service import SERVICE as IDENTITY
from services.payouts.service import SERVICE as PAYOUTS
from services.scoring.service import SERVICE as SCORING
from services.tasking.service import SERVICE as TASKING


def every_method() -> Iterator[MethodDescriptor]:
    for file in files():
        for service in file.services_by_name.values():
            yield from service.methods


def every_repeatable() -> Iterator[tuple[Rpc, MethodPolicy]]:
    for service in (IDENTITY, TASKING, SCORING, PAYOUTS):
        for policy in policies(service.name).values():
            if policy.has_request_id:
                yield service.rpcs[policy.service][policy.method], policy


METHODS = [pytest.param(method, id=method.full_name) for method in every_method()]
REPEATABLE = [pytest.param(rpc, policy, id=policy.path) for rpc, policy in every_repeatable()]


@pytest.mark.parametrize("method", METHODS)
def test_every_text_and_list_that_a_client_may_send_has_a_bound(method: MethodDescriptor) -> None:
    assert not list(unbounded(method.input_type)), "give each max_len or max_items, or what holds it max_bytes"


@pytest.mark.parametrize("method", METHODS)
def test_the_largest_request_fits_into_a_message(method: MethodDescriptor) -> None:
    most = largest(method.input_type)
    assert most is not None
    # The chunks of an upload hold as many tasks as fit.
    assert most <= LARGEST_MESSAGE or method.client_streaming


@pytest.mark.parametrize(("rpc", "policy"), REPEATABLE)
def test_a_response_that_is_kept_for_repeats_is_small_or_kept_in_brief(rpc: Rpc, policy: MethodPolicy) -> None:
    most = largest(policy.response_class.DESCRIPTOR)
    assert (most is not None and most <= LARGEST_KEPT) or rpc.brief is not None


@pytest.mark.parametrize(("rpc", "policy"), REPEATABLE)
def test_nothing_is_kept_for_strangers(rpc: Rpc, policy: MethodPolicy) -> None:
    assert ANYONE not in policy.callers, "they would share what is kept of one caller"
