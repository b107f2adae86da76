"""Reasons that people must give for what they do."""

from __future__ import annotations

import pytest

from chassis.contract.access import MethodPolicy, policies
from chassis.rpc.validation import violations_of
from deploy.local.services import SERVICES

ASKED_FOR_ONE = {
    path: policy
    for name in SERVICES
    for path, policy in policies(name).items()
    if "reason" in dict(violations_of(policy.request_class()))
}


@pytest.mark.parametrize("policy", ASKED_FOR_ONE.values(), ids=ASKED_FOR_ONE)
def test_spaces_are_no_reason(policy: MethodPolicy) -> None:
    assert "reason" in dict(violations_of(policy.request_class(reason=" \t" * 200)))
    assert "reason" not in dict(violations_of(policy.request_class(reason="A reason of some words.")))


def test_there_are_such_calls() -> None:
    assert len(ASKED_FOR_ONE) >= 6
