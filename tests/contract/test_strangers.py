"""Whoever is not signed in gets an answer whatever they send, and no more time, room or number than their share."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta

import grpc
import pytest
import pytest_asyncio
from preceptor.identity.v1 import account_pb2, expert_pb2, session_pb2
from preceptor.payouts.v1 import earning_pb2

from deploy.envoy.settings import Bucket, Limits
from deploy.local.edge import EdgeProcess
from tests.support.answers import JSON, SIGN_IN, WEB, bytes_of, forged, json_said, said, web_said
from tests.support.edge import Stage, another_edge
from tests.support.rawhttp1 import ask, dialled, request
from tests.support.rawhttp2 import connected, framed, grpc_headers
from tests.support.transports import Native, call_of

UPLOAD = "/preceptor.tasking.v1.BatchService/UploadBatch"
CUT = framed(b"abc", stated=100)
FEW, HOUR = 3, timedelta(hours=1)


@pytest_asyncio.fixture(scope="module")
async def quick(stage: Stage) -> AsyncIterator[EdgeProcess]:
    """An edge that gives strangers half a second, and takes one stream at a time."""
    limits = Limits(open_timeout=timedelta(seconds=0.5), streams=1)
    async with another_edge(stage, "quick-edge", limits) as edge:
        yield edge


@pytest.fixture
def address(stage: Stage) -> str:
    return stage.platform.edge.address


# Calls without a message.


@pytest.mark.parametrize("body", [b"", b"\x00\x00", CUT], ids=["none", "frame", "cut"])
async def test_a_grpc_call_that_ends_without_a_message_is_answered(stage: Stage, address: str, body: bytes) -> None:
    for place in (address, stage.platform.address("identity")):
        async with connected(place) as connection:
            stream = await connection.open(grpc_headers(place, SIGN_IN), end=not body)
            await connection.send(stream, body, end=True)

            assert said(await connection.answered(stream)) == ("3", "MESSAGE_MISSING")


@pytest.mark.parametrize("body", [b"", b"\x00\x00", CUT], ids=["none", "frame", "cut"])
async def test_a_grpc_web_call_without_a_message_is_answered(address: str, body: bytes) -> None:
    assert web_said(await ask(address, request(SIGN_IN, WEB, body=body))) == ("3", "MESSAGE_MISSING")


async def test_json_without_a_body_is_an_empty_message(address: str) -> None:
    assert json_said(await ask(address, request("/v1/sessions:signIn", JSON, body=b""))) == (400, "INVALID_REQUEST")


# Slow ones.


@pytest.mark.parametrize("body", [b"", CUT], ids=["none", "cut"])
async def test_a_grpc_call_that_does_not_end_is_ended_in_time(quick: EdgeProcess, body: bytes) -> None:
    async with connected(quick.address) as connection:
        stream = await connection.open(grpc_headers(quick.address, SIGN_IN))
        await connection.send(stream, body)

        assert said(await connection.answered(stream)) == ("4", "DEADLINE_EXCEEDED")


async def test_a_body_that_drips_is_ended_in_time_however_steady_it_is(quick: EdgeProcess) -> None:
    head = request("/v1/sessions:signIn", JSON, "content-length: 1000")
    async with dialled(quick.address) as line:
        dripping = asyncio.create_task(line.pour([head, *[b" "] * 1000], pause=0.05))
        answer = await line.hear()
        dripping.cancel()

    assert json_said(answer) == (504, "DEADLINE_EXCEEDED")


async def test_a_call_without_a_token_is_refused_before_its_body_is_waited_for(address: str) -> None:
    async with dialled(address) as line:
        await line.say(request("/v1/work:claim", JSON, "content-length: 1000"))

        assert json_said(await line.hear()) == (401, "TOKEN_MISSING")
        assert await line.ended()


async def test_a_thousand_calls_that_do_not_end_take_nothing_from_who_is_signed_in(stage: Stage) -> None:
    many = Bucket(10_000, 1, HOUR)
    limits = Limits(stranger=many, strangers=many, open_timeout=timedelta(seconds=5))
    asked = expert_pb2.GetExpertRequest(name=stage.ann.name)
    call = call_of("identity.ExpertService/GetExpert", asked, token=stage.ann.token)
    async with another_edge(stage, "full-edge", limits) as edge, AsyncExitStack() as held:
        channel = await held.enter_async_context(grpc.aio.insecure_channel(edge.address))
        connections = [await held.enter_async_context(connected(edge.address)) for _ in range(10)]
        headers = grpc_headers(edge.address, SIGN_IN)
        streams = [(connection, await connection.open(headers)) for connection in connections for _ in range(100)]
        known = await Native(channel).call(call)
        ended = [await connection.answered(stream, within=300) for connection, stream in streams]

    assert known.code == 0
    assert {said(reply) for reply in ended} == {("4", "DEADLINE_EXCEEDED")}


# Long ones.


def endless(begin: bytes) -> Iterator[bytes]:
    """64 MiB of JSON whose text does not end, in chunks."""
    for part in (begin, *[b"x" * 65_536] * 1024):
        yield b"%x\r\n%s\r\n" % (len(part), part)


@pytest.mark.parametrize(
    ("path", "type_"), [("/v1/sessions:signIn", JSON), (SIGN_IN, WEB), (SIGN_IN, "content-type: application/grpc")]
)
async def test_a_body_without_end_is_refused_while_it_is_read(stage: Stage, path: str, type_: str) -> None:
    edge = stage.platform.edge
    before = bytes_of(edge)
    async with dialled(edge.address) as line:
        taken = await line.pour([request(path, type_, "transfer-encoding: chunked"), *endless(b'{"password":"')])

    # What lies in buffers of the kernel has been sent, too.
    assert taken < 32 * 1024 * 1024
    assert bytes_of(edge) - before < 16 * 1024 * 1024


async def test_what_is_too_long_is_told_so(address: str) -> None:
    long = json.dumps({"email": "a@b.example", "password": "x" * 100_000}).encode()
    assert json_said(await ask(address, request("/v1/sessions:signIn", JSON, body=long))) == (413, "REQUEST_TOO_LARGE")
    assert web_said(await ask(address, request(SIGN_IN, WEB, body=framed(long)))) == ("3", "REQUEST_TOO_LARGE")
    async with connected(address) as connection:
        stream = await connection.open(grpc_headers(address, SIGN_IN))
        await connection.send(stream, framed(long), end=True)

        assert said(await connection.answered(stream)) == ("3", "REQUEST_TOO_LARGE")


async def test_the_longest_that_the_contract_lets_through_is_taken_though_every_letter_is_escaped(address: str) -> None:
    email = "a@" + "b" * 60 + ".example"
    longest = [
        ("/v1/sessions:signIn", {"email": email, "password": "😀" * 1024}, "INVALID_CREDENTIALS"),
        ("/v1/sessions:refresh", {"refreshToken": "é" * 256}, ""),
        ("/v1/apiKeys:exchange", {"apiKey": "é" * 256}, ""),
        ("/v1/experts:register", {"email": "no", "password": "é" * 1024, "displayName": "é" * 200}, "INVALID_REQUEST"),
    ]
    for path, body, reason in longest:
        answer = await ask(address, request(path, JSON, body=json.dumps(body).encode()))
        assert answer.status != 413, path
        assert not reason or json_said(answer)[1] == reason


async def test_an_upload_by_json_is_ended_while_it_is_read_where_it_is_too_long(stage: Stage) -> None:
    async with (
        another_edge(stage, "short-edge", Limits(upload_bytes=1024 * 1024)) as edge,
        dialled(edge.address) as line,
    ):
        before = bytes_of(edge)
        head = request(
            "/v1/batches:upload", JSON, "transfer-encoding: chunked", f"authorization: Bearer {stage.vendor.token}"
        )
        hearing = asyncio.create_task(line.hear())
        await line.pour([head, *endless(b'[{"header":{"batchKey":"')])
        answer = await hearing

        assert json_said(answer) == (413, "REQUEST_TOO_LARGE")
        assert bytes_of(edge) - before < 32 * 1024 * 1024


# Numbers.


async def test_false_tokens_are_counted_before_they_are_refused(stage: Stage) -> None:
    bucket = Bucket(FEW, 1, HOUR)
    async with another_edge(stage, "counting-edge", Limits(stranger=bucket)) as edge:
        false, good = f"authorization: Bearer {forged(stage)}", f"authorization: Bearer {stage.ann.token}"
        for _ in range(FEW):
            answer = await ask(edge.address, request(f"/v1/{stage.ann.name}", false, verb="GET"))
            assert json_said(answer) == (401, "TOKEN_SIGNATURE_INVALID")

        over = await ask(edge.address, request(f"/v1/{stage.ann.name}", false, verb="GET"))
        known = await ask(edge.address, request(f"/v1/{stage.ann.name}", good, verb="GET"))
        async with dialled(edge.address, source="127.0.0.2") as line:
            await line.say(request("/v1/jwks", verb="GET"))
            elsewhere = await line.hear()

    assert json_said(over) == (429, "RATE_LIMITED")
    assert known.status == 200, "who has a token that holds is another"
    assert elsewhere.status == 200, "and so is who comes from elsewhere"


async def test_all_strangers_together_have_a_bucket_too(stage: Stage) -> None:
    async with another_edge(stage, "crowded-edge", Limits(strangers=Bucket(FEW, 1, HOUR))) as edge:
        statuses = []
        for number in range(FEW + 1):
            async with dialled(edge.address, source=f"127.0.0.{number + 1}") as line:
                await line.say(request("/v1/jwks", verb="GET"))
                statuses.append((await line.hear()).status)
        good = f"authorization: Bearer {stage.ann.token}"
        known = await ask(edge.address, request(f"/v1/{stage.ann.name}", good, verb="GET"))

    assert statuses == [200] * FEW + [429]
    assert known.status == 200


async def test_connections_of_one_source_are_bounded_and_others_still_come_in(stage: Stage) -> None:
    async with (
        another_edge(stage, "narrow-edge", Limits(connections_by_source=FEW)) as edge,
        AsyncExitStack() as held,
    ):
        lines = [await held.enter_async_context(dialled(edge.address)) for _ in range(FEW)]
        for line in lines:
            await line.say(request("/healthz", verb="GET"))
        answers = [await line.hear() for line in lines]
        over = await held.enter_async_context(dialled(edge.address))

        assert [answer.status for answer in answers] == [200] * FEW
        assert await over.ended()
        # A few sources share a count by chance, but not all of these.
        assert any([await lets_in(edge.address, f"127.0.0.{number}") for number in range(2, 8)])


async def lets_in(address: str, source: str) -> bool:
    async with dialled(address, source) as line:
        await line.pour([request("/healthz", verb="GET")])
        return (await line.hear()).status == 200


async def test_streams_have_a_count_of_their_own_and_leave_calls_their_room(stage: Stage, quick: EdgeProcess) -> None:
    headers = grpc_headers(quick.address, UPLOAD, ("authorization", f"Bearer {stage.vendor.token}"))
    asked = earning_pb2.GetBalanceRequest(expert=stage.ann.name, currency="USD")
    call = call_of("payouts.EarningService/GetBalance", asked, token=stage.ann.token)
    async with connected(quick.address) as connection, grpc.aio.insecure_channel(quick.address) as channel:
        held = await connection.open(headers)
        refused = await connection.answered(await connection.open(headers))
        other = await Native(channel).call(call)
        await connection.reset(held)

    assert said(refused) == ("14", "SERVICE_UNAVAILABLE")
    assert other.code == 0


async def test_a_connection_that_only_gives_up_is_closed(address: str) -> None:
    async with connected(address) as connection:
        with suppress(ConnectionError):
            async with asyncio.timeout(60):
                while not connection.closed.is_set():
                    await connection.reset(await connection.open(grpc_headers(address, SIGN_IN)))

    assert (await ask(address, request("/healthz", verb="GET"))).status == 200


async def test_registering_and_signing_in_go_on_as_ever(stage: Stage) -> None:
    email = "not-a-stranger@experts.example"
    register = account_pb2.RegisterExpertRequest(
        email=email, password="correct horse battery", display_name="Ann", locales=["en"]
    )
    await stage.ask("identity.AccountService/RegisterExpert", register)
    sign_in = session_pb2.SignInRequest(email=email, password="correct horse battery")

    assert (await stage.ask("identity.SessionService/SignIn", sign_in)).code == 0
