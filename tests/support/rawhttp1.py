"""HTTP/1.1 by hand: for requests that no library would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

_MOST_HEADERS = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """A response; its status is zero where the connection ended without one."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Line:
    """A connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def say(self, raw: bytes) -> None:
        """Sends bytes, as fast as they are taken. Raises ConnectionError where nobody takes them any more."""
        self.writer.write(raw)
        await self.writer.drain()

    async def pour(self, pieces: Iterable[bytes], pause: float = 0.0) -> int:
        """Sends pieces until all are sent or nobody takes them any more; gives how many bytes were taken."""
        sent = 0
        try:
            for piece in pieces:
                await self.say(piece)
                sent += len(piece)
                await asyncio.sleep(pause)
        except ConnectionError:
            pass
        return sent

    async def hear(self, within: float = 120.0) -> Answer:
        """The next response. Raises TimeoutError."""
        async with asyncio.timeout(within):
            try:
                return await self._answer()
            except (asyncio.IncompleteReadError, ConnectionError):
                return Answer()

    async def ended(self, within: float = 120.0) -> bool:
        """Whether the other side ends the connection in this time without a word."""
        try:
            async with asyncio.timeout(within):
                return await self.reader.read(1) == b""
        except TimeoutError:
            return False
        except ConnectionError:
            return True

    async def _answer(self) -> Answer:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        named = [line.partition(": ") for line in head[1:] if line]
        headers = {name.lower(): value for name, _, value in named}
        body = await self._body(headers)
        return Answer(int(head[0].split()[1]), headers, body)

    async def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.readexactly(int(headers.get("content-length", "0")))
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += await self.reader.readexactly(size)
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return body


@asynccontextmanager
async def dialled(address: str, source: str = "127.0.0.1") -> AsyncIterator[Line]:
    """A connection to host:port from a loopback address."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0), limit=_MOST_HEADERS)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()


async def ask(address: str, raw: bytes, within: float = 120.0) -> Answer:
    """What comes back for these bytes."""
    async with dialled(address) as line:
        await line.pour([raw])
        return await line.hear(within)


def request(path: str, *headers: str, body: bytes | None = None, verb: str = "POST") -> bytes:
    """A request; with a body it tells its length."""
    told = (*headers, *([f"content-length: {len(body)}"] if body is not None else ()))
    lines = "".join(f"{line}\r\n" for line in (f"{verb} {path} HTTP/1.1", "host: edge.example", *told))
    return f"{lines}\r\n".encode() + (body or b"")
