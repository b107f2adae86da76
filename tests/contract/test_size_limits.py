"""Whatever a client may send is bounded by the contract, and so is what follows from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor
from preceptor.tasking.v1 import batch_pb2, project_pb2, work_pb2

from chassis.bus.outbox import MAX_PAYLOAD
from chassis.contract.access import ANYONE, MethodPolicy, policies
from chassis.contract.descriptors import files
from chassis.contract.events import EventType, catalogue
from chassis.contract.largest import LARGEST_MESSAGE, largest, rules_of, unbounded
from chassis.rpc.idempotency import LARGEST_KEPT
from chassis.rpc.paging import PAGE_BYTES
from chassis.rpc.table import Rpc
from deploy.envoy.settings import Limits
from services.identity.service import SERVICE as IDENTITY
from services.payouts.service import SERVICE as PAYOUTS
from services.scoring.service import SERVICE as SCORING
from services.tasking.service import SERVICE as TASKING
from tests.contract import limits_table


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
EVENTS = [pytest.param(event, id=event.name) for event in catalogue().values()]
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


@pytest.mark.parametrize("event", EVENTS)
def test_every_event_is_bounded_below_what_the_bus_takes(event: EventType) -> None:
    descriptor = cast(Descriptor, event.message_class.DESCRIPTOR)
    assert not list(unbounded(descriptor))
    assert (largest(descriptor) or 0) <= MAX_PAYLOAD


@pytest.mark.parametrize("event", EVENTS)
def test_the_key_of_an_event_is_an_id(event: EventType) -> None:
    descriptor = cast(Descriptor, event.message_class.DESCRIPTOR)
    rules = rules_of(descriptor.fields_by_name[event.key_field]).string
    assert rules.uuid or rules.max_len == 36


def test_what_follows_from_a_task_fits_into_every_reply_that_carries_it() -> None:
    for reply in (work_pb2.ClaimTaskResponse, batch_pb2.DecideQuestionsResponse, project_pb2.CreateProjectResponse):
        assert (largest(reply.DESCRIPTOR) or LARGEST_MESSAGE) < LARGEST_MESSAGE / 3
    held = largest(work_pb2.HeldTask.DESCRIPTOR) or LARGEST_MESSAGE
    assert PAGE_BYTES + held < LARGEST_MESSAGE
    assert 6 * held < Limits().reply_bytes, "a character may take six bytes in JSON"


def test_the_document_tells_the_limits_as_they_are() -> None:
    told = limits_table.written(limits_table.FILE.read_text())
    assert told == limits_table.computed(), "run `python -m tests.contract.limits_table` and review what it changes"


@pytest.mark.parametrize(("rpc", "policy"), REPEATABLE)
def test_a_response_that_is_kept_for_repeats_is_small_or_kept_in_brief(rpc: Rpc, policy: MethodPolicy) -> None:
    most = largest(policy.response_class.DESCRIPTOR)
    assert (most is not None and most <= LARGEST_KEPT) or rpc.brief is not None


@pytest.mark.parametrize(("rpc", "policy"), REPEATABLE)
def test_nothing_is_kept_for_strangers(rpc: Rpc, policy: MethodPolicy) -> None:
    assert ANYONE not in policy.callers, "they would share what is kept of one caller"
