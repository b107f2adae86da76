"""On a running platform: who is suspended or signs out is refused by all four services."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from preceptor.identity.v1 import account_pb2, expert_pb2, session_pb2, vendor_pb2
from preceptor.payouts.v1 import earning_pb2
from preceptor.scoring.v1 import consensus_pb2
from preceptor.tasking.v1 import work_pb2

from chassis.contract.access import policies
from chassis.ids import name, new_id
from tests.support.bus import eventually
from tests.support.calls import bearer, invoke, outcome
from tests.support.platform import Live, staff
from tests.support.processes import identity

PASSWORD = "correct horse battery"
EVERYWHERE = {
    "/preceptor.identity.v1.ExpertService/GetExpert": expert_pb2.GetExpertRequest(name=name("experts", new_id())),
    "/preceptor.tasking.v1.WorkService/ClaimTask": work_pb2.ClaimTaskRequest(),
    "/preceptor.scoring.v1.ConsensusService/GetConsensus": consensus_pb2.GetConsensusRequest(
        task=name("tasks", new_id())
    ),
    "/preceptor.payouts.v1.EarningService/ListEarnings": earning_pb2.ListEarningsRequest(
        parent=name("experts", new_id())
    ),
}


async def call(live: Live, method: str, request: Message, token: str | None = None) -> bytes:
    channel, policy = live.method(f"/preceptor.identity.v1.{method}")
    return await invoke(channel, policy, request, bearer(token))


async def registered(live: Live) -> tuple[str, str]:
    """The e-mail address and the name of a new expert."""
    email = f"{uuid4().hex}@experts.example"
    request = account_pb2.RegisterExpertRequest(email=email, password=PASSWORD, display_name="Bea", locales=["en"])
    raw = await call(live, "AccountService/RegisterExpert", request)
    return email, account_pb2.RegisterExpertResponse.FromString(raw).expert


async def signed_in(live: Live, email: str) -> str:
    """An access token."""
    request = session_pb2.SignInRequest(email=email, password=PASSWORD)
    raw = await call(live, "SessionService/SignIn", request)
    return session_pb2.SignInResponse.FromString(raw).tokens.access_token


async def said(live: Live, token: str) -> set[str]:
    """The reasons of all four services, none for a call that is served."""
    refusals = await asyncio.gather(
        *(outcome(invoke(*live.method(path), request, bearer(token))) for path, request in EVERYWHERE.items())
    )
    return {refusal.reason if refusal else "" for refusal in refusals}


async def revoked_everywhere(live: Live, token: str) -> bool:
    return await said(live, token) == {"TOKEN_REVOKED"}


async def test_a_suspended_expert_is_refused_by_all_services(live: Live) -> None:
    email, expert = await registered(live)
    token = await signed_in(live, email)
    ops = live.token(staff("OPS"))
    assert "TOKEN_REVOKED" not in await said(live, token)

    await call(live, "ExpertService/SuspendExpert", expert_pb2.SuspendExpertRequest(name=expert, reason="spam"), ops)
    await eventually(lambda: revoked_everywhere(live, token))

    with pytest.raises(grpc.aio.AioRpcError, match="suspended"):
        await signed_in(live, email)


async def test_a_reinstated_expert_is_let_in_by_a_new_sign_in_only(live: Live) -> None:
    email, expert = await registered(live)
    old, ops = await signed_in(live, email), live.token(staff("OPS"))
    suspend = expert_pb2.SuspendExpertRequest(name=expert, reason="spam")
    reinstate = expert_pb2.ReinstateExpertRequest(name=expert, reason="it was another one")
    await call(live, "ExpertService/SuspendExpert", suspend, ops)
    await call(live, "ExpertService/ReinstateExpert", reinstate, ops)
    new = await signed_in(live, email)

    async def let_in() -> bool:
        return "TOKEN_REVOKED" not in await said(live, new)

    # News arrive one after the other, and at each service at another time: what holds in the end is waited for.
    await eventually(lambda: revoked_everywhere(live, old))
    await eventually(let_in)


async def test_who_signs_out_is_out_everywhere(live: Live) -> None:
    email, _ = await registered(live)
    gone, stays = await signed_in(live, email), await signed_in(live, email)

    await call(live, "SessionService/SignOut", session_pb2.SignOutRequest(), gone)
    await eventually(lambda: revoked_everywhere(live, gone))

    assert "TOKEN_REVOKED" not in await said(live, stays)


async def test_a_revoked_key_s_tokens_end_with_it(live: Live) -> None:
    admin = live.token(staff("ADMIN"))
    raw = await call(live, "VendorService/CreateVendor", vendor_pb2.CreateVendorRequest(display_name="Acme"), admin)
    vendor = vendor_pb2.CreateVendorResponse.FromString(raw).vendor.name
    request = vendor_pb2.CreateApiKeyRequest(vendor=vendor, display_name="ci")
    key = vendor_pb2.CreateApiKeyResponse.FromString(await call(live, "VendorService/CreateApiKey", request, admin))
    raw = await call(live, "SessionService/ExchangeApiKey", session_pb2.ExchangeApiKeyRequest(api_key=key.api_key))
    token = session_pb2.ExchangeApiKeyResponse.FromString(raw).tokens.access_token

    await call(
        live, "VendorService/RevokeApiKey", vendor_pb2.RevokeApiKeyRequest(name=key.name, reason="leaked"), admin
    )

    await eventually(lambda: revoked_everywhere(live, token))


async def test_a_process_that_starts_later_knows_it_before_it_is_ready(live: Live, tmp_path: Path) -> None:
    email, expert = await registered(live)
    token, ops = await signed_in(live, email), live.token(staff("OPS"))
    await call(live, "ExpertService/SuspendExpert", expert_pb2.SuspendExpertRequest(name=expert, reason="spam"), ops)
    await eventually(lambda: revoked_everywhere(live, token))

    async with identity(live, tmp_path) as late, grpc.aio.insecure_channel(late.address) as channel:
        policy = policies("identity")["/preceptor.identity.v1.ExpertService/GetExpert"]
        refusal = await outcome(invoke(channel, policy, expert_pb2.GetExpertRequest(name=expert), bearer(token)))

    assert refusal is not None
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAUTHENTICATED, "TOKEN_REVOKED")
