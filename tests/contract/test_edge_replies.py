"""The edge says what the client did wrong, lets no reply be kept, and tells false tokens as services do."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from preceptor.payouts.v1 import earning_pb2

from tests.support.answers import JSON, SIGN_IN, WEB, forged, json_said, said, web_said
from tests.support.edge import Stage
from tests.support.rawhttp1 import ask, request
from tests.support.rawhttp2 import connected, framed, grpc_headers
from tests.support.transports import call_of


@pytest.fixture
def address(stage: Stage) -> str:
    return stage.platform.edge.address


# Unreadable ones.


@pytest.mark.parametrize(
    "raw",
    [
        request("/v1/sessions:signIn", JSON, "transfer-encoding: xchunked"),
        request("/v1/sessions:signIn", JSON, "grpc-timeout: abc", body=b"{}"),
        request("/v1/sessions:signIn", JSON, "grpc-timeout: 1000000000S", "content-length: 1000"),
        request("/v1/sessions:signIn", JSON, "grpc-encoding: zip", body=b"{}"),
        request("/v1/sessions:signIn", JSON, "transfer-encoding: chunked", "content-length: 3"),
        request("/v1/sessions:signIn", JSON, "x_under: score", body=b"{}"),
        request("/v1/jwks", "x-long: " + "a" * 20_000, verb="GET"),
        request("/v1/jwks", *(f"x-many-{number}: 1" for number in range(150)), verb="GET"),
        request("/v1%2fjwks", verb="GET"),
        b"GET /v1/jwks HTTP/1.1\r\n\r\n",
        b"GET /v1/jwks HTTP/9.9\r\nhost: edge.example\r\n\r\n",
        b"CONNECT edge.example:1 HTTP/1.1\r\nhost: edge.example:1\r\n\r\n",
        b"HELLO\r\n\r\n",
    ],
    ids=lambda raw: raw[:60].decode().split("\r\n")[0],
)
async def test_what_cannot_be_read_is_the_client_s_fault(address: str, raw: bytes) -> None:
    assert json_said(await ask(address, raw)) == (400, "MALFORMED_REQUEST")


@pytest.mark.parametrize("header", [("grpc-timeout", "abc"), ("grpc-timeout", "1"), ("grpc-encoding", "zip")])
async def test_a_header_of_grpc_that_cannot_be_read_is_the_client_s_fault(
    address: str, header: tuple[str, str]
) -> None:
    async with connected(address) as connection:
        stream = await connection.open(grpc_headers(address, SIGN_IN, header))
        await connection.send(stream, framed(b""), end=True)
        reply = await connection.answered(stream)

    assert said(reply) == ("3", "MALFORMED_REQUEST")
    assert header[0] in reply.headers["grpc-message"]
    web = await ask(address, request(SIGN_IN, WEB, f"{header[0]}: {header[1]}", body=framed(b"")))
    assert web_said(web) == ("3", "MALFORMED_REQUEST")


async def test_deadlines_and_encodings_that_can_be_read_are_taken(address: str) -> None:
    for header in ("grpc-timeout: 99999999n", "grpc-timeout: 20S", "grpc-encoding: identity", "grpc-encoding: gzip"):
        name, _, value = header.partition(": ")
        async with connected(address) as connection:
            stream = await connection.open(grpc_headers(address, SIGN_IN, (name, value)))
            await connection.send(stream, framed(b""), end=True)

            assert said(await connection.answered(stream))[1] in ("INVALID_REQUEST", "DEADLINE_EXCEEDED")


# What every reply says.


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (request("/v1/experts/1", verb="GET"), 401),
        (request("/v1/sessions:signIn", JSON, body=b"{}"), 400),
        (request("/v1/sessions:signIn", JSON, body=b"{"), 400),
        (request("/v1/sessions:signIn", JSON, "transfer-encoding: xchunked"), 400),
        (request("/v1/sessions:signIn", JSON, body=b" " * 100_000), 413),
        (request("/healthz", verb="GET"), 200),
        (request(SIGN_IN, WEB, body=framed(b"")), 200),
    ],
    ids=["edge", "service", "transcoder", "codec", "size", "health", "gRPC-Web"],
)
async def test_no_reply_may_be_kept_or_guessed_at(address: str, raw: bytes, status: int) -> None:
    answer = await ask(address, raw)

    assert answer.status == status
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_a_reply_comes_whole_to_whom_the_connection_ends_with_it(address: str) -> None:
    for _ in range(20):
        answer = await ask(address, request("/v1/sessions:signIn", JSON, "connection: close", body=b"{}"))
        assert json_said(answer) == (400, "INVALID_REQUEST")


async def test_a_reply_with_what_is_somebody_s_own_may_not_be_kept(stage: Stage, address: str) -> None:
    path = f"/v1/{stage.ann.name}"
    answer = await ask(address, request(path, f"authorization: Bearer {stage.ann.token}", verb="GET"))

    assert answer.status == 200
    assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-store", "nosniff")


async def test_the_public_keys_may_be_kept_for_a_while(address: str) -> None:
    answer = await ask(address, request("/v1/jwks", verb="GET"))

    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["x-content-type-options"] == "nosniff"


# Tokens.


FORGED: dict[str, tuple[Callable[[Stage], str], str]] = {
    "HS256": (lambda stage: forged(stage, alg="HS256"), "TOKEN_KEY_UNKNOWN"),
    "RS256": (lambda stage: forged(stage, alg="RS256"), "TOKEN_KEY_UNKNOWN"),
    "another curve": (lambda stage: forged(stage, alg="ES256"), "TOKEN_KEY_UNKNOWN"),
    "none": (lambda stage: forged(stage, alg="none"), "TOKEN_KEY_UNKNOWN"),
    "no such algorithm": (lambda stage: forged(stage, alg="X"), "TOKEN_KEY_UNKNOWN"),
    "no such key": (lambda stage: forged(stage, kid="X"), "TOKEN_KEY_UNKNOWN"),
    "algorithm is no text": (lambda stage: forged(stage, alg=1), "TOKEN_MALFORMED"),
    "key id is no text": (lambda stage: forged(stage, kid=1), "TOKEN_MALFORMED"),
    "signature": (forged, "TOKEN_SIGNATURE_INVALID"),
    "garbage": (lambda _: "garbage", "TOKEN_MALFORMED"),
    "two parts": (lambda stage: forged(stage).rpartition(".")[0], "TOKEN_MALFORMED"),
    "four parts": (lambda stage: forged(stage) + ".x", "TOKEN_MALFORMED"),
    "no JSON": (lambda _: "a.b.c", "TOKEN_MALFORMED"),
}


@pytest.mark.parametrize("fault", FORGED)
async def test_a_false_token_is_told_the_same_by_edge_and_service(stage: Stage, fault: str) -> None:
    make, reason = FORGED[fault]
    asked = earning_pb2.GetBalanceRequest(expert=stage.ann.name, currency="USD")
    call = call_of("payouts.EarningService/GetBalance", asked, token=make(stage))
    through = {name: await transport.call(call) for name, transport in stage.by.items()}

    assert {name: (outcome.code, outcome.reason) for name, outcome in through.items()} == dict.fromkeys(
        through, (16, reason)
    )
    assert through["gRPC"] == through["gRPC-Web"] == through["JSON"] == await stage.ask_directly(call)
