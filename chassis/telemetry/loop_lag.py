"""How late the event loop turns: what blocks it shows here before it shows in calls."""

from __future__ import annotations

import asyncio

from chassis.telemetry.metrics import LOOP_LAG
from chassis.waiting import pause

_EVERY_SECONDS = 0.25


async def watch_loop(stop: asyncio.Event) -> None:
    """Measures until `stop` is set."""
    clock = asyncio.get_running_loop().time
    while not stop.is_set():
        due = clock() + _EVERY_SECONDS
        await pause(_EVERY_SECONDS, stop)
        if not stop.is_set():
            LOOP_LAG.observe(max(0.0, clock() - due))
