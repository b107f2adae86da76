"""Brings the faults of a plan over a platform, mends each after its time, and keeps what was seen of each."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg

from chassis.waiting import pause
from deploy.local.platform import Platform
from deploy.local.processes import ChildFailedError
from tests.faults.whole_job import places
from tests.faults.whole_job.backends import MortalBackends
from tests.faults.whole_job.calls import CallLog
from tests.faults.whole_job.places import Scene
from tests.faults.whole_job.plan import KAFKA, POSTGRES, Fault, Kind
from tests.support.proxy import Proxy

_AIM_SECONDS = 3.0
_AIMS = {
    "tasking-events": ("tasking", "SELECT EXISTS (SELECT FROM outbox)"),
    "scoring-events": ("scoring", "SELECT EXISTS (SELECT FROM outbox)"),
    "identity-events": ("identity", "SELECT EXISTS (SELECT FROM outbox)"),
    "payouts-events": ("payouts", "SELECT EXISTS (SELECT FROM attempt WHERE state IN ('CREATED', 'SUBMITTING'))"),
}


@dataclass
class Landed:
    """A fault that was brought, and what was seen then."""

    fault: Fault
    scene: Scene | None
    calls: dict[str, str]
    """Request id -> method of the experts' calls on their way at that moment."""
    at: float
    """Seconds on the monotonic clock."""


@dataclass
class Havoc:
    """The disturber of one platform."""

    platform: Platform
    backends: MortalBackends
    proxy: Proxy
    log: CallLog
    landed: list[Landed] = field(default_factory=list)
    failed_starts: Counter[str] = field(default_factory=Counter)
    """Processes that ended by themselves at a start, as they may where PostgreSQL or Kafka is away."""
    died: list[str] = field(default_factory=list)
    """Processes that ended unasked while they ran, which none may."""
    _locks: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @asynccontextmanager
    async def disturbing(self, faults: list[Fault]) -> AsyncIterator[None]:
        """Brings one fault after the other while the body runs; at its end all are mended.

        If it fails, servers are there again all the same: what went wrong is looked up in them, and other runs follow.
        """
        over, mended = asyncio.Event(), asyncio.Event()
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(mended))
                wreak = group.create_task(self._wreak(faults, over))
                yield
                over.set()
                await wreak
                mended.set()
                await watch
        finally:
            await self.backends.revive()

    async def _wreak(self, faults: list[Fault], over: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as mending:
            left = list(faults)
            while left:
                fault = self._next(left)
                await pause(fault.after, over)
                if over.is_set():
                    return
                left.remove(fault)
                await self._locks[fault.target].acquire()
                if fault.aimed:
                    await self._aim(fault)
                await self._strike(fault)
                mending.create_task(self._mend(fault))

    def _next(self, left: list[Fault]) -> Fault:
        """The next fault whose target is not down at the moment, if there is one."""
        return next((fault for fault in left if not self._locks[fault.target].locked()), left[0])

    async def _watch(self, over: asyncio.Event) -> None:
        """Notes processes that end unasked, and starts them anew as their operator would."""
        while not over.is_set():
            for name, running in list(self.platform.services.items()):
                process = running.process
                if process.returncode is not None and not process.stopping:
                    self.died.append(str(process.failure(f"ended unasked with {process.returncode}")))
                    async with self._locks[name]:
                        await self._start(name)
            await pause(0.1, over)

    async def _aim(self, fault: Fault) -> None:
        """Waits, not for ever, until the target has something in hand."""
        until = time.monotonic() + _AIM_SECONDS
        if fault.target not in _AIMS:
            while time.monotonic() < until and "SubmitAnswer" not in self.log.open.values():  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            return
        service, sql = _AIMS[fault.target]
        try:
            # One connection for all looks, given up without a farewell: the moment is short.
            database = await asyncpg.connect(
                self.backends.postgres.url, database=self.platform.database_name(service), timeout=2
            )
            while time.monotonic() < until and not await database.fetchval(sql, timeout=1):  # noqa: ASYNC110
                await asyncio.sleep(0.002)
            database.terminate()
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            return

    async def _strike(self, fault: Fault) -> None:
        calls, scene = dict(self.log.open), None
        if fault.kind is Kind.CUT:
            await self.proxy.cut()
        elif fault.target == KAFKA:
            await self.backends.kill_kafka()
        elif fault.target == POSTGRES:
            await self.backends.kill_postgres()
        else:
            await self._hit(fault)
            scene = await places.look(self.platform, fault.target, calls, self.log.answered)
        self.landed.append(Landed(fault, scene, calls, time.monotonic()))

    async def _hit(self, fault: Fault) -> None:
        process = self.platform.services[fault.target].process
        if fault.kind is Kind.PAUSE:
            os.killpg(process.pid, signal.SIGSTOP)
        else:
            await process.kill()
            await self.platform.supervisor.stop(process)

    async def _mend(self, fault: Fault) -> None:
        try:
            await asyncio.sleep(fault.lasts)
            if fault.kind is Kind.CUT:
                await self.proxy.open()
            elif fault.target == KAFKA:
                await self.backends.start_kafka()
            elif fault.target == POSTGRES:
                await self.backends.start_postgres()
            elif fault.kind is Kind.PAUSE:
                os.killpg(self.platform.services[fault.target].process.pid, signal.SIGCONT)
            else:
                await self._start(fault.target)
        finally:
            self._locks[fault.target].release()

    async def _start(self, name: str) -> None:
        """Starts a process again and again until it is ready, as its operator would."""
        service = name.removesuffix("-events")
        while True:
            try:
                await self.platform.start(service, "events" if name != service else "grpc")
            except ChildFailedError as failure:
                self.failed_starts[name] += 1
                if "was not ready" in str(failure):
                    self.died.append(str(failure))
                await asyncio.sleep(0.3)
            else:
                return
