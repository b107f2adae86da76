"""A process that calls the edge as strangers do: hostile in one way, or harmless and as costly.

    python -m tests.faults.strangers ADDRESS SHAPE SECONDS [TOKEN]

It runs for so long, from one loopback address of its own, paced, and prints how many requests it made and what came.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from tests.support.rawhttp1 import Line, dialled, request
from tests.support.rawhttp2 import connected, framed, grpc_headers

SOURCE = "127.0.0.77"
_SIGN_IN = "/preceptor.identity.v1.SessionService/SignIn"
_JSON = "content-type: application/json"
_PIECE = b"x" * 65_536
# Calls a second of what makes one call after the other; megabytes of what makes long ones; lines that are held open.
_RATE, _MEGABYTES, _LINES = 150, 16, 200


@dataclass
class Tally:
    """What was done until the time is up."""

    address: str
    until: float
    token: str
    requests: int = 0
    came: Counter[str] = field(default_factory=Counter)

    @property
    def going(self) -> bool:
        """Until the time is up; on a machine that hardly lets us run, until anything was done."""
        return time.monotonic() < self.until or not self.requests

    async def paced(self, do: Callable[[], Awaitable[str]]) -> None:
        """Does something `_RATE` times a second, and no faster where it takes longer."""
        begun = time.monotonic()
        while self.going:
            self.came[await do()] += 1
            self.requests += 1
            await asyncio.sleep(max(0.0, begun + self.requests / _RATE - time.monotonic()))


async def empty(tally: Tally) -> None:
    """Calls of gRPC that end without a message."""
    async with connected(tally.address, SOURCE) as connection:

        async def call() -> str:
            stream = await connection.open(grpc_headers(tally.address, _SIGN_IN), end=True)
            return (await connection.answered(stream)).grpc_status

        await tally.paced(call)


async def truncated(tally: Tally) -> None:
    """Calls of gRPC that end in the middle of their message."""
    async with connected(tally.address, SOURCE) as connection:

        async def call() -> str:
            stream = await connection.open(grpc_headers(tally.address, _SIGN_IN))
            await connection.send(stream, framed(b"abc", stated=100), end=True)
            return (await connection.answered(stream)).grpc_status

        await tally.paced(call)


async def unknown(tally: Tally) -> None:
    """Calls with a token that does not hold."""
    forged = f"{tally.token.rpartition('.')[0]}.{'A' * 86}"
    await _one_by_one(tally, request("/v1/jwks", f"authorization: Bearer {forged}", verb="GET").replace(b"jwks", b"x"))


async def given_up(tally: Tally) -> None:
    """Streams that are opened and reset at once, on a connection that is made anew when it is closed."""
    while tally.going:
        async with connected(tally.address, SOURCE) as connection:

            async def call() -> str:
                await connection.reset(await connection.open(grpc_headers(tally.address, _SIGN_IN)))
                return "reset"

            try:
                await tally.paced(call)
            except ConnectionError:
                tally.came["closed"] += 1


async def slow(tally: Tally) -> None:
    """Many bodies at once that come byte by byte."""
    head = request("/v1/sessions:signIn", _JSON, "content-length: 100000")
    await asyncio.gather(*(_dripping(tally, head) for _ in range(_LINES)))


async def idle(tally: Tally) -> None:
    """Connections that are opened, more than one source may have, and say nothing."""
    async with AsyncExitStack() as held:
        while tally.going:
            if tally.requests < 4 * _LINES:
                await held.enter_async_context(dialled(tally.address, SOURCE))
                tally.requests += 1
            await asyncio.sleep(1 / _RATE)


async def huge(tally: Tally) -> None:
    """Bodies without end, in large chunks."""
    await _pouring(tally, b"10000\r\n" + _PIECE + b"\r\n")


async def chunked(tally: Tally) -> None:
    """Bodies without end, in the smallest chunks there are."""
    await _pouring(tally, b"1\r\nx\r\n" * 8_192)


async def harmless_calls(tally: Tally) -> None:
    """As many calls as the hostile ones make, by somebody who is signed in and may not what they ask for."""
    token, body = f"authorization: Bearer {tally.token}", b'{"displayName":"Mine"}'
    await _one_by_one(tally, request("/v1/vendors", _JSON, token, body=body))


async def harmless_lines(tally: Tally) -> None:
    """As many connections, each with a call now and then."""
    raw = request("/healthz", verb="GET")

    async def use() -> None:
        async with dialled(tally.address, SOURCE) as line:
            while tally.going:
                await line.say(raw)
                tally.came[str((await line.hear()).status)] += 1
                tally.requests += 1
                await asyncio.sleep(0.5)

    await asyncio.gather(*(use() for _ in range(_LINES)))


async def harmless_bytes(tally: Tally) -> None:
    """As many bytes, in bodies that a call may have."""
    body = b'{"padding":"' + _PIECE * 16 + b'"}'
    raw = request("/v1/work:claim", _JSON, f"authorization: Bearer {tally.token}", body=body)
    begun = time.monotonic()
    async with dialled(tally.address, SOURCE) as line:
        while tally.going:
            await line.say(raw)
            tally.came[str((await line.hear()).status)] += 1
            tally.requests += 1
            await asyncio.sleep(max(0.0, begun + tally.requests / _MEGABYTES - time.monotonic()))


HOSTILE: Mapping[str, Callable[[Tally], Awaitable[None]]] = {
    "empty": empty,
    "truncated": truncated,
    "unknown": unknown,
    "given-up": given_up,
    "slow": slow,
    "idle": idle,
    "huge": huge,
    "chunked": chunked,
}
HARMLESS: Mapping[str, Callable[[Tally], Awaitable[None]]] = {
    "calls": harmless_calls,
    "lines": harmless_lines,
    "bytes": harmless_bytes,
}
AS_COSTLY: Mapping[str, str] = {
    "empty": "calls",
    "truncated": "calls",
    "unknown": "calls",
    "given-up": "calls",
    "slow": "lines",
    "idle": "lines",
    "huge": "bytes",
    "chunked": "bytes",
}
"""The harmless load that each hostile one is compared with: as many calls, connections or bytes."""


async def _one_by_one(tally: Tally, raw: bytes) -> None:
    """The same request again and again on a connection, which is made anew when it is closed."""
    while tally.going:
        async with dialled(tally.address, SOURCE) as line:

            async def call(line: Line = line) -> str:
                await line.say(raw)
                answer = await line.hear()
                if not answer.status:
                    raise ConnectionError
                return str(answer.status)

            try:
                await tally.paced(call)
            except ConnectionError:
                tally.came["closed"] += 1


async def _dripping(tally: Tally, head: bytes) -> None:
    while tally.going:
        async with dialled(tally.address, SOURCE) as line:
            try:
                await line.say(head)
                tally.requests += 1
                while tally.going and not line.reader.at_eof():
                    await line.say(b" ")
                    await asyncio.sleep(0.5)
            except ConnectionError:
                tally.came["closed"] += 1


async def _pouring(tally: Tally, piece: bytes) -> None:
    """A body that goes on until it is refused, and then another."""
    head, sent, begun = request("/v1/sessions:signIn", _JSON, "transfer-encoding: chunked"), 0, time.monotonic()
    while tally.going:
        async with dialled(tally.address, SOURCE) as line:
            tally.requests += 1
            try:
                await line.say(head)
                while tally.going:
                    await line.say(piece)
                    sent += len(piece)
                    await asyncio.sleep(max(0.0, begun + sent / (_MEGABYTES * 1024 * 1024) - time.monotonic()))
            except ConnectionError:
                tally.came["closed"] += 1


async def main(address: str, shape: str, seconds: str, token: str = "") -> None:
    """Calls, and prints the tally as JSON."""
    tally = Tally(address, time.monotonic() + float(seconds), token)
    await {**HOSTILE, **HARMLESS}[shape](tally)
    print(json.dumps({"requests": tally.requests, "came": tally.came}))  # noqa: T201 - to whoever started it


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
