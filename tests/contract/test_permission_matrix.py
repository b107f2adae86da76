"""Who may call what: as reviewed, as the contracts say, and as every live service answers."""

from __future__ import annotations

import asyncio

import pytest
from grpc import StatusCode

from chassis.contract.access import ANYONE, MethodPolicy
from tests.contract.permissions import CALLERS, GOLDEN, allowed, every_policy, table
from tests.support.calls import Metadata, Refusal, bearer, invoke, outcome
from tests.support.platform import Live, expert, staff, vendor

METHODS = [pytest.param(policy, id=policy.path) for policy in every_policy()]
NO_TOKEN = (StatusCode.UNAUTHENTICATED, "TOKEN_MISSING")
NOT_ALLOWED = (StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED")


def test_the_contracts_allow_what_was_reviewed_and_nothing_else() -> None:
    assert table() == GOLDEN.read_text(encoding="utf-8"), "see tests/contract/permissions.py for how to review a change"


@pytest.mark.parametrize("policy", METHODS)
async def test_a_live_service_lets_in_whom_the_matrix_allows(live: Live, policy: MethodPolicy) -> None:
    answers = await asyncio.gather(*(_answer(live, policy, caller) for caller in CALLERS))
    answered = dict(zip(CALLERS, answers, strict=True))

    assert {caller: said in (NO_TOKEN, NOT_ALLOWED) for caller, said in answered.items()} == {
        caller: not allowed(policy, caller) for caller in CALLERS
    }
    assert {said for caller, said in answered.items() if not allowed(policy, caller)} <= {NO_TOKEN, NOT_ALLOWED}
    assert allowed(policy, ANYONE) or answered[ANYONE] == NO_TOKEN
    assert StatusCode.INTERNAL not in {code for code, _ in answered.values()}


@pytest.mark.parametrize("policy", METHODS)
async def test_access_is_checked_before_the_request_is_read(live: Live, policy: MethodPolicy) -> None:
    channel, _ = live.method(policy.path)
    unreadable = b"\xff\xff\xff"
    denied = [caller for caller in CALLERS if not allowed(policy, caller)]

    said = [await outcome(invoke(channel, policy, unreadable, _metadata(live, caller))) for caller in denied[:2]]

    assert {(refusal.code, refusal.reason) for refusal in said if refusal} <= {NO_TOKEN, NOT_ALLOWED}
    assert None not in said


@pytest.mark.parametrize("policy", METHODS)
def test_a_method_for_anyone_takes_no_request_id(policy: MethodPolicy) -> None:
    # Responses are kept by caller: callers without a token would get each other's.
    assert not (ANYONE in policy.callers and policy.has_request_id)


async def _answer(live: Live, policy: MethodPolicy, caller: str) -> tuple[StatusCode, str]:
    """What an empty request gets."""
    channel, _ = live.method(policy.path)
    said = await outcome(invoke(channel, policy, b"", _metadata(live, caller))) or Refusal(StatusCode.OK)
    return said.code, said.reason


def _metadata(live: Live, caller: str) -> Metadata:
    """The metadata of a caller who is of this kind and nothing else."""
    match caller:
        case "ANYONE":
            return ()
        case "EXPERT":
            return bearer(live.token(expert()))
        case "VENDOR":
            return bearer(live.token(vendor()))
    return bearer(live.token(staff(caller)))
