"""HTTP/2 by hand: for calls that no gRPC library would make."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection

Headers = Sequence[tuple[str, str]]


@dataclass
class Reply:
    """What has come on a stream so far."""

    headers: dict[str, str] = field(default_factory=dict)
    """Headers and trailers."""
    body: bytes = b""
    reset: int | None = None
    """The code of RST_STREAM."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the stream has ended, has been reset, or its connection is gone."""

    @property
    def grpc_status(self) -> str:
        """The status in the trailers; empty while there is none."""
        return self.headers.get("grpc-status", "")

    @property
    def details(self) -> bytes:
        """The `google.rpc.Status` in the trailers, as bytes; empty while there is none."""
        return base64.b64decode(self.headers.get("grpc-status-details-bin", "") + "==")


def grpc_headers(address: str, path: str, *more: tuple[str, str]) -> Headers:
    """The headers of a gRPC call."""
    pseudo = ((":method", "POST"), (":scheme", "http"), (":authority", address), (":path", path))
    return (*pseudo, ("content-type", "application/grpc"), ("te", "trailers"), *more)


def framed(message: bytes, stated: int | None = None) -> bytes:
    """A message as gRPC frames it; `stated` is the length that it claims to have."""
    return b"\x00" + (len(message) if stated is None else stated).to_bytes(4, "big") + message


class Connection:
    """A connection that sends what it is told, whatever the other side makes of it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        config = H2Configuration(client_side=True, header_encoding="utf-8", validate_outbound_headers=False)
        self._h2 = H2Connection(config)
        self._replies: dict[int, Reply] = {}
        self._heard = asyncio.Event()
        self.closed = asyncio.Event()
        self._h2.initiate_connection()

    async def open(self, headers: Headers, *, end: bool = False) -> int:
        """Begins a stream; with `end` it has no body."""
        stream = self._h2.get_next_available_stream_id()
        self._replies[stream] = Reply()
        self._h2.send_headers(stream, list(headers), end_stream=end)
        await self._flush()
        return stream

    async def send(self, stream: int, data: bytes, *, end: bool = False) -> int:
        """Sends a part of a body as fast as the other side takes it; gives how much it took before the stream ended."""
        sent = 0
        while sent < len(data) and not self._replies[stream].ended.is_set():
            self._heard.clear()
            room = min(self._h2.local_flow_control_window(stream), self._h2.max_outbound_frame_size)
            if room <= 0:
                await self._heard.wait()
                continue
            piece = data[sent : sent + room]
            sent += len(piece)
            self._h2.send_data(stream, piece, end_stream=end and sent == len(data))
            await self._flush()
            # What the other side says meanwhile is heard.
            await asyncio.sleep(0)
        return sent

    async def reset(self, stream: int) -> None:
        """Gives a stream up."""
        self._h2.reset_stream(stream)
        await self._flush()

    def reply(self, stream: int) -> Reply:
        """What has come on a stream so far."""
        return self._replies[stream]

    async def answered(self, stream: int, within: float = 120.0) -> Reply:
        """What came, once the stream has ended. Raises `TimeoutError`."""
        reply = self._replies[stream]
        await asyncio.wait_for(reply.ended.wait(), within)
        return reply

    async def read(self) -> None:
        """Reads until the connection ends."""
        try:
            while data := await self._reader.read(65_536):
                for event in self._h2.receive_data(data):
                    self._take(event)
                await self._flush()
                self._heard.set()
        except OSError:
            pass
        finally:
            self.closed.set()
            for reply in self._replies.values():
                reply.ended.set()
            self._heard.set()

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ResponseReceived() | events.TrailersReceived():
                headers = {_text(name): _text(value) for name, value in event.headers or ()}
                self._replies[event.stream_id].headers.update(headers)
            case events.DataReceived():
                self._replies[event.stream_id].body += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length or 0, event.stream_id)
            case events.StreamReset():
                self._replies[event.stream_id].reset = int(event.error_code or 0)
                self._replies[event.stream_id].ended.set()
            case events.StreamEnded():
                self._replies[event.stream_id].ended.set()

    async def _flush(self) -> None:
        self._writer.write(self._h2.data_to_send())
        await self._writer.drain()


def _text(part: bytes | str) -> str:
    return part.decode() if isinstance(part, bytes) else part


@asynccontextmanager
async def connected(address: str, source: str = "127.0.0.1") -> AsyncIterator[Connection]:
    """A connection to host:port from a loopback address."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), local_addr=(source, 0))
    connection = Connection(reader, writer)
    reading = asyncio.create_task(connection.read())
    try:
        yield connection
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
