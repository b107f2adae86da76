"""Fetch jars over HTTPS from Maven Central, where there is no Maven."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import aiohttp

from deploy.local.jar_progress import Report

CENTRAL = "https://repo1.maven.org/maven2"
_AT_ONCE = 6
_TRIES = 4
_TIMEOUT = aiohttp.ClientTimeout(total=180, sock_connect=10, sock_read=30)


async def fetch(paths: Sequence[str], folder: Path, report: Report, *, base: str = CENTRAL, pause: float = 0.5) -> None:
    """Put the jars at `paths` of the repository into `folder`, in the same layout. Raises OSError.

    A passing failure is tried again after `pause` seconds, then after twice that, and so on.
    """
    gate, done = asyncio.Semaphore(_AT_ONCE), 0

    async def one(session: aiohttp.ClientSession, path: str) -> None:
        nonlocal done
        async with gate:
            try:
                await _with_retries(partial(_download, session, f"{base}/{path}", folder / path), pause)
            except (aiohttp.ClientError, TimeoutError) as error:
                raise OSError(f"{base}: {error or type(error).__name__}") from error
        done += 1
        report(done)

    # trust_env: the proxy variables that every other tool on the machine follows.
    async with aiohttp.ClientSession(timeout=_TIMEOUT, trust_env=True) as session:
        try:
            async with asyncio.TaskGroup() as group:
                for path in paths:
                    group.create_task(one(session, path))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None


async def _with_retries(attempt: Callable[[], Awaitable[None]], first_pause: float) -> None:
    for pause in (first_pause * 2**n for n in range(_TRIES - 1)):
        try:
            return await attempt()
        except aiohttp.ClientResponseError as error:
            if 400 <= error.status < 500 and error.status != 429:
                raise
        except (aiohttp.ClientError, TimeoutError):
            pass
        await asyncio.sleep(pause)
    return await attempt()


async def _download(session: aiohttp.ClientSession, url: str, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    async with session.get(url, raise_for_status=True) as response:
        with place.open("wb") as file:
            async for chunk in response.content.iter_chunked(1 << 18):
                file.write(chunk)
