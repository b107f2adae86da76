"""What the tests of the local stack share."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path


async def eventually(condition: Callable[[], Awaitable[bool]], within: float = 120.0) -> bool:
    """Whether a condition comes true in time, in seconds."""
    deadline = time.monotonic() + within
    while not await condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(0.02)
    return True


async def all_gone(pids: list[int]) -> bool:
    """Whether none of these processes runs any more; one that nobody has waited for yet does not."""
    return not any(map(_runs, pids))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
