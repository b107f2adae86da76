"""Whatever a client may send is bounded by the contract, and so is what follows from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from google.protobuf.descriptor import MethodDescriptor

from chassis.contract.descriptors import files
from chassis.contract.largest import LARGEST_MESSAGE, largest, unbounded


def every_method() -> Iterator[MethodDescriptor]:
    for file in files():
        for service in file.services_by_name.values():
            yield from service.methods


METHODS = [pytest.param(method, id=method.full_name) for method in every_method()]


@pytest.mark.parametrize("method", METHODS)
def test_every_text_and_list_that_a_client_may_send_has_a_bound(method: MethodDescriptor) -> None:
    assert not list(unbounded(method.input_type)), "give each max_len or max_items, or what holds it max_bytes"


@pytest.mark.parametrize("method", METHODS)
def test_the_largest_request_fits_into_a_message(method: MethodDescriptor) -> None:
    most = largest(method.input_type)
    assert most is not None
    # The chunks of an upload hold as many tasks as fit.
    assert most <= LARGEST_MESSAGE or method.client_streaming
