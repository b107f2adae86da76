"""A platform of real processes on which the main job was done, for tests that look at it afterwards or disturb it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.main_job.job import POLICY, all_examples, run_main_job
from deploy.local.main_job.outcome import SILENT, Outcome
from deploy.local.main_job.people import thirty_people
from deploy.local.platform import Platform, start_platform
from deploy.local.services import SERVICES
from deploy.local.stack import Backends
from tests.support.bus import Bus
from tests.support.collector import Collector, collecting
from tests.support.databases import share_passwords

CAST = thirty_people(7)[7:20]
"""Two who let leases run out, one who is late, one who is suspended, nine careful ones."""
EXAMPLES = [example for example in all_examples() if example.domain in (2, 3, 9, 10)]
"""Healthcare, law, communication, technology."""
CHEAP_HASHES = {"IDENTITY_ARGON2_MEMORY_KIB": "64"}


@dataclass(frozen=True, slots=True)
class DoneJob:
    """The platform, what came out, and its part of the bus."""

    platform: Platform
    outcome: Outcome
    bus: Bus
    collector: Collector
    """Where every span of the job went."""


@asynccontextmanager
async def main_job_done(backends: Backends, home: Path, prefix: str) -> AsyncIterator[DoneJob]:
    """Starts a platform and does the main job on it; the platform runs on while the body does."""
    share_passwords(home)
    async with AsyncExitStack() as stack:
        collector = await stack.enter_async_context(collecting())
        traced = {"PRECEPTOR_OTLP_ENDPOINT": collector.endpoint, "PRECEPTOR_TRACE_SHARE": "1"}
        policy = {name: {**POLICY.get(name, {}), **traced} for name in SERVICES}
        policy["identity"] |= CHEAP_HASHES
        started = start_platform(backends, home, policy, prefix=prefix, partitions=3)
        platform = await stack.enter_async_context(started)
        outcome = Outcome()
        await run_main_job(platform, 7, SILENT, outcome, CAST, EXAMPLES)
        yield DoneJob(platform, outcome, Bus(backends.brokers, prefix), collector)
