"""Metrics are served to whoever asks by GET, cheaply and boundedly, and to nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from unittest.mock import patch

import aiohttp
import pytest
import pytest_asyncio

from chassis.telemetry import serving
from chassis.telemetry.loop_lag import watch_loop
from tests.support.bus import eventually, running
from tests.support.metrics import rising, scrape

HOST = "127.0.0.1"


@pytest_asyncio.fixture
async def port() -> AsyncIterator[int]:
    async with serving.serve_metrics(f"{HOST}:0", lambda: None) as port:
        yield port


async def said(port: int, request: bytes) -> bytes:
    """All that a connection gets for some bytes; nothing if it is cut."""
    reader, writer = await asyncio.open_connection(HOST, port)
    try:
        writer.write(request)
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_the_text_is_prometheus_text(port: int) -> None:
    async with aiohttp.ClientSession() as session, session.get(f"http://{HOST}:{port}/metrics") as reply:
        assert reply.content_type == "text/plain"
        assert "# TYPE rpc_server_call_duration_seconds histogram" in await reply.text()
    assert (await scrape(f"{HOST}:{port}"))["process_start_time_seconds"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\n\r\n", b"405"),
        (b"GET / HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics/../secret HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /metrics?name=x HTTP/1.0\r\n\r\n", b"200"),
    ],
)
async def test_nothing_is_served_but_metrics_by_get(port: int, request_: bytes, status: bytes) -> None:
    assert (await said(port, request_)).split()[1] == status


async def test_a_head_without_end_gets_no_answer_and_is_not_kept(port: int) -> None:
    assert await said(port, b"GET /metrics HTTP/1.1\r\nx: " + b"x" * 100_000) == b""


async def test_who_says_nothing_is_not_waited_for_long() -> None:
    with patch.object(serving, "_SECONDS", 0.05):
        async with serving.serve_metrics(f"{HOST}:0", lambda: None) as port:
            assert await said(port, b"GET /metrics") == b""


async def test_connections_beyond_the_bound_are_closed_and_make_nobody_else_wait(port: int) -> None:
    held = [await asyncio.open_connection(HOST, port) for _ in range(serving._MOST_CONNECTIONS)]

    async def refused() -> bool:
        return await said(port, b"GET /metrics HTTP/1.1\r\n\r\n") == b""

    await eventually(refused)
    for _, writer in held:
        writer.close()

    async def served() -> bool:
        return b"200 OK" in await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")

    await eventually(served)


async def test_many_who_ask_at_once_are_told_one_text() -> None:
    looks = []
    async with serving.serve_metrics(f"{HOST}:0", lambda: looks.append(1)) as port:
        answers = await asyncio.gather(*(said(port, b"GET /metrics HTTP/1.1\r\n\r\n") for _ in range(8)))
    assert len(set(answers)) <= len(looks) < len(answers)


async def test_what_goes_wrong_in_the_making_is_an_error_and_no_silence() -> None:
    def broken() -> None:
        raise ValueError

    async with serving.serve_metrics(f"{HOST}:0", broken) as port:
        assert (await said(port, b"GET /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 500 ")


async def test_an_address_that_is_taken_is_told(port: int) -> None:
    with pytest.raises(OSError, match="in use"):
        async with serving.serve_metrics(f"{HOST}:{port}", lambda: None):
            pass


async def test_the_lag_of_the_event_loop_is_measured() -> None:
    with rising("preceptor_event_loop_lag_seconds_count") as looks:

        async def looked() -> bool:
            return looks() >= 2

        async with running(watch_loop):
            await eventually(looked)
