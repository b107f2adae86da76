"""One call by three transports: gRPC, gRPC-Web from Node, and plain JSON over HTTP; what came is told in one form."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import grpc
from google.api import annotations_pb2, http_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from chassis.contract.access import MethodPolicy, policies

WEB = Path(__file__).parents[1] / "contract" / "web"
_SECONDS = 20.0
_VARIABLE = re.compile(r"\{(\w+)=[^}]*\}")
# How HTTP tells the codes that the tests meet, as google.rpc.Code maps them.
_HTTP_STATUS = {0: 200, 3: 400, 4: 504, 5: 404, 7: 403, 8: 429, 9: 400, 14: 503, 16: 401}
# HTTP says of these more than their code does.
_OWN_STATUS = {"REQUEST_TOO_LARGE": 413}
# Details of errors are decoded by their names, which are known once their file is imported.
_KNOWN = error_details_pb2.DESCRIPTOR.message_types_by_name


@dataclass(frozen=True)
class Call:
    """A call, with one request or, for an upload, several."""

    policy: MethodPolicy
    requests: tuple[Message, ...]
    token: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent besides the token."""

    @property
    def metadata(self) -> dict[str, str]:
        """All headers of ours."""
        return {**self.headers, **({"authorization": f"Bearer {self.token}"} if self.token else {})}


@dataclass(frozen=True)
class Outcome:
    """What came of a call: a code of gRPC with message and details, or a response."""

    code: int
    message: str = ""
    details: tuple[Mapping[str, Any], ...] = ()
    response: Message | None = None

    @property
    def reason(self) -> str:
        return next((str(detail["reason"]) for detail in self.details if "reason" in detail), "")

    @property
    def fields(self) -> set[str]:
        """The fields at fault."""
        return {item["field"] for detail in self.details for item in detail.get("fieldViolations", ())}


class Transport(Protocol):
    """A way to make a call."""

    async def call(self, call: Call) -> Outcome: ...


def call_of(method: str, *requests: Message, token: str = "") -> Call:
    """A call of a method like "identity.SessionService/SignIn"."""
    service, _, name = method.partition(".")
    return Call(policies(service)[f"/preceptor.{service}.v1.{name}"], requests, token)


class Native:
    """gRPC."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(self, call: Call) -> Outcome:
        try:
            return Outcome(0, response=await self._send(call))
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            assert isinstance(details, bytes)
            status = json_format.MessageToDict(status_pb2.Status.FromString(details))
            code: int = error.code().value[0]
            return Outcome(code, error.details() or "", tuple(status.get("details", ())))

    async def _send(self, call: Call) -> Message:
        policy, metadata = call.policy, tuple(call.metadata.items())
        write, read = policy.request_class.SerializeToString, policy.response_class.FromString
        if len(call.requests) > 1:
            upload = self._channel.stream_unary(policy.path, write, read)
            return await upload(iter(call.requests), metadata=metadata, timeout=_SECONDS)
        send = self._channel.unary_unary(policy.path, write, read)
        return await send(call.requests[0], metadata=metadata, timeout=_SECONDS)


class Web:
    """gRPC-Web, by a child process that stands for a browser."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        self._child = child

    async def call(self, call: Call) -> Outcome:
        assert self._child.stdin
        assert self._child.stdout
        (request,) = call.requests
        line = {
            "method": call.policy.path.removeprefix("/"),
            "request": json_format.MessageToDict(request),
            "headers": call.metadata,
            "timeoutMs": int(_SECONDS * 1000),
        }
        self._child.stdin.write(json.dumps(line).encode() + b"\n")
        told = json.loads(await self._child.stdout.readline())
        response = _parsed(call, told["response"]) if "response" in told else None
        return Outcome(told["code"], told["message"], tuple(told["details"]), response)


class Json:
    """JSON over HTTP/1.1, at the address that the contract states for the method."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def call(self, call: Call) -> Outcome:
        verb, path, rest = http_request(call)
        given: Any = {"params": rest} if verb == "GET" else {"json": rest}
        async with self._session.request(verb, self._url + path, headers=call.metadata, **given) as reply:
            body = await reply.json()
            assert reply.content_type == "application/json"
        outcome = Outcome(0, response=_parsed(call, _whole(call, body))) if reply.status == 200 else outcome_of(body)
        assert reply.status == _OWN_STATUS.get(outcome.reason, _HTTP_STATUS[outcome.code])
        return outcome


def outcome_of(status: Mapping[str, Any]) -> Outcome:
    """What a `google.rpc.Status` in JSON tells."""
    assert status.keys() <= {"code", "message", "details"}
    return Outcome(status["code"], status["message"], tuple(status.get("details", ())))


def http_request(call: Call) -> tuple[str, str, Any]:
    """The HTTP method, the path, and what goes into query or body: a stream is an array of its messages."""
    rule = _rule(call)
    verb = rule.WhichOneof("pattern") or ""
    template: str = getattr(rule, verb)
    if call.policy.client_streaming:
        return verb.upper(), template, [json_format.MessageToDict(request) for request in call.requests]
    fields = json_format.MessageToDict(call.requests[0], preserving_proto_field_name=True)
    path = _VARIABLE.sub(lambda variable: fields.pop(variable[1]), template)
    return verb.upper(), path, fields


def _rule(call: Call) -> http_pb2.HttpRule:
    descriptor = call.policy.request_class.DESCRIPTOR.file.pool.FindMethodByName(call.policy.path[1:].replace("/", "."))
    rule: http_pb2.HttpRule = descriptor.GetOptions().Extensions[annotations_pb2.http]  # type: ignore[index]
    return rule


def _whole(call: Call, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The response of which the body may be one field: a document."""
    field, document = _rule(call).response_body, base64.b64encode(json.dumps(body).encode()).decode()
    return {field: {"contentType": "application/json", "data": document}} if field else body


def _parsed(call: Call, body: Mapping[str, Any]) -> Message:
    return json_format.ParseDict(dict(body), call.policy.response_class())


@asynccontextmanager
async def transports(address: str, descriptors: Path) -> AsyncIterator[dict[str, Transport]]:
    """The three, to one address."""
    url = f"http://{address}"
    async with (
        grpc.aio.insecure_channel(address) as channel,
        aiohttp.ClientSession() as session,
        _browser(url, descriptors) as child,
    ):
        yield {"gRPC": Native(channel), "gRPC-Web": Web(child), "JSON": Json(session, url)}


@asynccontextmanager
async def _browser(url: str, descriptors: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    assert (WEB / "node_modules").exists(), "the packages of tests/contract/web are missing: run `make web`"
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        "node", str(WEB / "call.mjs"), str(descriptors), url, stdin=pipe, stdout=pipe
    )
    try:
        yield child
    finally:
        assert child.stdin
        child.stdin.close()
        await child.wait()
