"""gRPC, gRPC-Web and JSON through the edge give the same results and the same errors, which are the services' own."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
import pytest_asyncio
from google.protobuf import json_format
from preceptor.identity.v1 import expert_pb2, session_pb2, vendor_pb2
from preceptor.payouts.v1 import earning_pb2
from preceptor.scoring.v1 import consensus_pb2
from preceptor.tasking.v1 import batch_pb2

from chassis.ids import new_id
from chassis.rpc.tokens import AUDIENCE
from deploy.local.paths import ROOT
from deploy.local.processes import Supervisor
from deploy.local.services import run_command
from tests.support.edge import BURST, Stage, strict_edge
from tests.support.transports import Call, Transport, call_of, outcome_of

OWN_PAGE, FOREIGN_PAGE = "http://localhost:5173", "http://elsewhere.example"
JWKS = call_of("identity.SessionService/GetJwks", session_pb2.GetJwksRequest())


@pytest_asyncio.fixture(scope="module")
async def strict(stage: Stage) -> AsyncIterator[dict[str, Transport]]:
    async with strict_edge(stage) as by:
        yield by


@pytest_asyncio.fixture
async def http(stage: Stage) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(stage.platform.edge.url) as session:
        yield session


def balance(expert: str, token: str = "") -> Call:
    request = earning_pb2.GetBalanceRequest(expert=expert, currency="USD")
    return call_of("payouts.EarningService/GetBalance", request, token=token)


async def refused(stage: Stage, call: Call, code: int, reason: str, fields: set[str] | None = None) -> None:
    """All transports refuse a call in the same way, and the service would say the same."""
    through = {name: await transport.call(call) for name, transport in stage.by.items()}
    for name, outcome in through.items():
        assert (outcome.code, outcome.reason, outcome.fields) == (code, reason, fields or set()), name
    assert through["gRPC"] == through["gRPC-Web"] == through["JSON"] == await stage.ask_directly(call)


async def test_a_call_without_a_token_is_refused(stage: Stage) -> None:
    await refused(stage, balance(stage.ann.name), 16, "TOKEN_MISSING")


async def test_an_expired_token_is_refused(stage: Stage) -> None:
    expired = stage.signed(life=timedelta(minutes=-5))
    await refused(stage, balance(stage.ann.name, expired), 16, "TOKEN_EXPIRED")


async def test_a_token_of_another_issuer_is_refused(stage: Stage) -> None:
    await refused(stage, balance(stage.ann.name, stage.signed(issuer="elsewhere")), 16, "TOKEN_ISSUER_FOREIGN")


async def test_a_token_for_another_audience_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    # Envoy alone would say 403 here, which tells a client that signing in again is of no use.
    monkeypatch.setattr("chassis.rpc.signing.AUDIENCE", f"not-{AUDIENCE}")
    await refused(stage, balance(stage.ann.name, stage.signed()), 16, "TOKEN_AUDIENCE_FOREIGN")


async def test_a_token_signed_by_another_key_is_refused(stage: Stage, tmp_path: Path) -> None:
    files = ("--private", str(tmp_path / "private.json"), "--public", str(tmp_path / "public.json"))
    async with Supervisor(tmp_path) as supervisor:
        await run_command(supervisor, "identity", {}, "generate-keys", *files)
    foreign = stage.signed(keys=tmp_path / "private.json")
    await refused(stage, balance(stage.ann.name, foreign), 16, "TOKEN_KEY_UNKNOWN")


async def test_a_token_that_was_changed_is_refused(stage: Stage) -> None:
    head, payload, signature = stage.ann.token.split(".")
    changed = f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    await refused(stage, balance(stage.ann.name, changed), 16, "TOKEN_SIGNATURE_INVALID")


async def test_what_is_no_token_is_refused(stage: Stage) -> None:
    await refused(stage, balance(stage.ann.name, "not-a-token"), 16, "TOKEN_MALFORMED")


async def test_an_invalid_request_names_every_field_at_fault(stage: Stage) -> None:
    request = session_pb2.SignInRequest(email="nobody")
    await refused(
        stage, call_of("identity.SessionService/SignIn", request), 3, "INVALID_REQUEST", {"email", "password"}
    )


async def test_a_role_that_may_not_is_refused(stage: Stage) -> None:
    call = call_of(
        "identity.VendorService/CreateVendor",
        vendor_pb2.CreateVendorRequest(display_name="Mine"),
        token=stage.ann.token,
    )
    await refused(stage, call, 7, "CALLER_NOT_ALLOWED")


async def test_what_belongs_to_another_and_what_is_not_there_are_refused_alike(stage: Stage) -> None:
    await refused(stage, balance(stage.bob.name, stage.ann.token), 7, "NOT_YOURS")
    absent = batch_pb2.GetBatchRequest(name=f"batches/{new_id()}")
    await refused(stage, call_of("tasking.BatchService/GetBatch", absent, token=stage.vendor.token), 7, "NOT_YOURS")


async def test_a_wrong_password_is_refused(stage: Stage) -> None:
    request = session_pb2.SignInRequest(email="nobody@experts.example", password="wrong")
    await refused(stage, call_of("identity.SessionService/SignIn", request), 16, "INVALID_CREDENTIALS")


@pytest.mark.parametrize("transport", ["gRPC", "gRPC-Web", "JSON"])
async def test_a_request_above_four_mebibytes_is_refused(stage: Stage, transport: str) -> None:
    request = vendor_pb2.CreateVendorRequest(display_name="x" * 5_000_000)
    call = call_of("identity.VendorService/CreateVendor", request, token=stage.admin.token)
    outcome = await stage.by[transport].call(call)

    assert (outcome.code, outcome.reason) == (3, "REQUEST_TOO_LARGE")


@pytest.mark.parametrize("transport", ["gRPC", "gRPC-Web", "JSON"])
async def test_a_read_gives_what_the_service_gives(stage: Stage, transport: str) -> None:
    for call in (
        balance(stage.ann.name, stage.ann.token),
        call_of(
            "identity.ExpertService/GetExpert",
            expert_pb2.GetExpertRequest(name=stage.ann.name),
            token=stage.ann.token,
        ),
    ):
        outcome = await stage.by[transport].call(call)
        assert outcome.response is not None
        assert outcome == await stage.ask_directly(call)


async def test_a_write_that_is_repeated_on_another_transport_is_done_once(stage: Stage) -> None:
    request = vendor_pb2.CreateVendorRequest(display_name="Käse & Söhne «Ω»", request_id=str(uuid4()))
    call = call_of("identity.VendorService/CreateVendor", request, token=stage.admin.token)
    first, second, third = [await transport.call(call) for transport in stage.by.values()]

    assert isinstance(first.response, vendor_pb2.CreateVendorResponse)
    assert first.response.vendor.display_name == request.display_name
    assert first == second == third


def upload(stage: Stage, key: str) -> Call:
    """A header and two chunks with a task each, of which the second lacks its payload."""
    rows = (ROOT / "examples" / "pairwise_preference.jsonl").read_text(encoding="utf-8").splitlines()
    task = {"itemKey": "one", "payload": json.loads(rows[0])["payload"]}
    header = batch_pb2.UploadHeader(project=stage.project, batch_key=key)
    good = json_format.ParseDict({"sequence": "1", "tasks": [task]}, batch_pb2.UploadChunk())
    bad = batch_pb2.UploadChunk(sequence=2, tasks=[batch_pb2.NewTask(item_key="two")])
    return call_of(
        "tasking.BatchService/UploadBatch",
        batch_pb2.UploadBatchRequest(header=header),
        *(batch_pb2.UploadBatchRequest(chunk=chunk) for chunk in (good, bad)),
        token=stage.vendor.token,
    )


@pytest.mark.parametrize("transport", ["gRPC", "JSON"])
async def test_an_upload_stores_the_good_and_reports_the_bad(stage: Stage, transport: str) -> None:
    outcome = await stage.by[transport].call(upload(stage, f"batch-{transport}"))
    response = outcome.response

    assert isinstance(response, batch_pb2.UploadBatchResponse), outcome
    assert (response.accepted, response.rejected, response.batch.last_chunk) == (1, 1, 2)
    assert [(error.sequence, error.item_key, error.reason) for error in response.errors] == [(2, "two", "INVALID_TASK")]


async def test_an_upload_begun_by_grpc_is_known_when_it_is_sent_again_as_json(stage: Stage) -> None:
    first = await stage.by["gRPC"].call(upload(stage, "batch-twice"))
    again = await stage.by["JSON"].call(upload(stage, "batch-twice"))

    assert isinstance(first.response, batch_pb2.UploadBatchResponse)
    assert isinstance(again.response, batch_pb2.UploadBatchResponse)
    assert (again.response.batch.name, again.response.repeated) == (first.response.batch.name, 1)


async def test_grpc_web_cannot_upload_for_browsers_send_no_streams(stage: Stage) -> None:
    whole = upload(stage, "batch-web")
    outcome = await stage.by["gRPC-Web"].call(Call(whole.policy, whole.requests[:1], whole.token))

    assert (outcome.code, outcome.details) == (2, ())
    assert "does not support streaming request bodies" in outcome.message


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason", "told"),
    [
        ("POST", "/v1/sessions:signIn", "{bad", 400, "MALFORMED_REQUEST", "Expected"),
        ("POST", "/v1/sessions:signIn", '{"email": {}}', 400, "MALFORMED_REQUEST", "email"),
        ("POST", "/v1/sessions:signIn", '{"email": 7}', 400, "MALFORMED_REQUEST", "email"),
        ("GET", "/v1/jwks?colour=red", None, 400, "MALFORMED_REQUEST", 'Could not find field "colour"'),
        ("GET", "/v1/cheese", None, 404, "METHOD_UNKNOWN", "There is no method"),
        ("DELETE", "/v1/jwks", None, 404, "METHOD_UNKNOWN", "There is no method"),
    ],
)
async def test_what_is_no_request_gets_the_one_shape_of_error(
    stage: Stage,
    http: aiohttp.ClientSession,
    method: str,
    path: str,
    body: str | None,
    status: int,
    reason: str,
    told: str,
) -> None:
    headers = {"content-type": "application/json", "authorization": f"Bearer {stage.ann.token}"}
    async with http.request(method, path, data=body, headers=headers) as reply:
        outcome = outcome_of(await reply.json())

        assert (reply.status, outcome.reason) == (status, reason)
        assert told in outcome.message


async def test_a_method_that_is_not_there_is_unknown_to_grpc_too(stage: Stage) -> None:
    call = balance(stage.ann.name, stage.ann.token)
    call = replace(call, policy=replace(call.policy, path="/no.Such/Thing"))
    outcome = await stage.by["gRPC"].call(call)

    assert (outcome.code, outcome.reason) == (12, "METHOD_UNKNOWN")


async def test_json_fields_that_the_contract_does_not_know_are_passed_over(
    http: aiohttp.ClientSession,
) -> None:
    # As messages of gRPC do with fields of newer clients. What is required is still missed.
    async with http.post("/v1/sessions:signIn", json={"emial": "a@b.example"}) as reply:
        outcome = outcome_of(await reply.json())

    assert (outcome.reason, outcome.fields) == ("INVALID_REQUEST", {"email", "password"})


def preflight(origin: str) -> dict[str, str]:
    asked = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,x-grpc-web"}
    return {"origin": origin, **asked}


@pytest.mark.parametrize("path", ["/v1/work:claim", "/preceptor.tasking.v1.WorkService/ClaimTask"])
async def test_our_own_pages_may_call(http: aiohttp.ClientSession, path: str) -> None:
    async with http.options(path, headers=preflight(OWN_PAGE)) as reply:
        assert reply.status == 200
        assert reply.headers["access-control-allow-origin"] == OWN_PAGE
        assert {"authorization", "x-grpc-web"} <= set(reply.headers["access-control-allow-headers"].split(","))
        assert "grpc-status-details-bin" in reply.headers["access-control-expose-headers"]


async def test_our_own_pages_may_read_errors_of_the_edge(http: aiohttp.ClientSession) -> None:
    async with http.get(f"/v1/experts/{new_id()}", headers={"origin": OWN_PAGE}) as reply:
        assert reply.status == 401
        assert reply.headers["access-control-allow-origin"] == OWN_PAGE


@pytest.mark.parametrize("path", ["/v1/work:claim", "/v1/jwks"])
async def test_foreign_pages_may_not(http: aiohttp.ClientSession, path: str) -> None:
    async with http.options(path, headers=preflight(FOREIGN_PAGE)) as reply:
        assert reply.status in (401, 404)
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


async def test_each_subject_has_a_bucket_whatever_the_transport(strict: dict[str, Transport], stage: Stage) -> None:
    call = balance(stage.ann.name, stage.ann.token)
    for _ in range(BURST):
        assert (await strict["gRPC"].call(call)).code == 0
    grpc, web, json_ = [await transport.call(call) for transport in strict.values()]
    bob = await strict["gRPC"].call(balance(stage.bob.name, stage.bob.token))

    assert (grpc.code, grpc.reason) == (8, "RATE_LIMITED")
    assert [detail["retryDelay"] for detail in grpc.details if "retryDelay" in detail] == ["1s"]
    assert grpc == web == json_
    assert bob.code == 0


async def test_a_stranger_gets_no_more_by_claiming_to_be_another(strict: dict[str, Transport], stage: Stage) -> None:
    claims = [{"x-jwt-sub": str(new_id()), "x-forwarded-for": f"192.0.2.{number}"} for number in range(BURST + 1)]
    outcomes = [await strict["JSON"].call(replace(JWKS, headers=claim)) for claim in claims]

    assert [outcome.code for outcome in outcomes] == [0] * BURST + [8]


async def test_a_service_that_is_down_is_unavailable_on_all_three(strict: dict[str, Transport], stage: Stage) -> None:
    request = consensus_pb2.GetConsensusRequest(task=f"tasks/{new_id()}")
    call = call_of("scoring.ConsensusService/GetConsensus", request, token=stage.admin.token)
    grpc, web, json_ = [await transport.call(call) for transport in strict.values()]

    assert (grpc.code, grpc.reason) == (14, "SERVICE_UNAVAILABLE")
    assert grpc == web == json_
