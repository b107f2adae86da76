"""The metrics of a process as text over HTTP, on a port of their own: ``GET /metrics``, and nothing else.

Whoever asks costs little: the text is made in a thread, once a second at most, and is the same for all who ask within
it; connections are few and short, and nothing is read but the head of a request.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from chassis.telemetry.metrics import REGISTRY

_log = structlog.get_logger(__name__)

_MOST_CONNECTIONS = 16
_LONGEST_HEAD = 8 * 1024
_SECONDS = 10.0
_KEPT_SECONDS = 1.0


@asynccontextmanager
async def serve_metrics(listen: str, look: Callable[[], None]) -> AsyncIterator[int]:
    """Serves them on host:port while the body runs, which is handed the port. Raises `OSError` if it is taken.

    `look` is called on the event loop before a text is made, to set what is not kept up as it happens.
    """
    host, _, port = listen.rpartition(":")
    # Of "all addresses" in version 6 a server would leave out those of version 4; of no address it leaves out none.
    where = None if host == "[::]" else host.strip("[]")
    server = await asyncio.start_server(_Exporter(look).answer, where, int(port), limit=_LONGEST_HEAD)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


class _Exporter:
    """Answers connections, each with one response."""

    def __init__(self, look: Callable[[], None]) -> None:
        self._look = look
        self._open = 0
        self._making = asyncio.Lock()
        self._text = b""
        self._made_at = float("-inf")

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Reads the head of a request, and responds. More connections than there is room for are closed at once."""
        self._open += 1
        try:
            if self._open <= _MOST_CONNECTIONS:
                async with asyncio.timeout(_SECONDS):
                    head = await reader.readuntil(b"\r\n\r\n")
                    writer.write(await self._response(head))
                    await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks so gets no answer, and whoever went away needs none
        finally:
            self._open -= 1
            writer.close()

    async def _response(self, head: bytes) -> bytes:
        method, _, rest = head.partition(b" ")
        path = rest.partition(b" ")[0].partition(b"?")[0]
        if path != b"/metrics":
            return _written("404 Not Found", b"The metrics are at /metrics.\n")
        if method != b"GET":
            return _written("405 Method Not Allowed", b"Only GET is served.\n", "Allow: GET\r\n")
        try:
            return _written("200 OK", await self._latest(), kind=CONTENT_TYPE_LATEST)
        except Exception as error:
            _log.exception("metrics not made", error=type(error).__name__)
            return _written("500 Internal Server Error", b"See the log.\n")

    async def _latest(self) -> bytes:
        """The text, at most a second old."""
        clock = asyncio.get_running_loop().time
        async with self._making:
            if clock() - self._made_at >= _KEPT_SECONDS:
                self._look()
                self._text = await asyncio.to_thread(generate_latest, REGISTRY)
                self._made_at = clock()
            return self._text


def _written(status: str, body: bytes, more: str = "", kind: str = "text/plain; charset=utf-8") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return f"{head}Connection: close\r\n\r\n".encode() + body
