"""The processes that an answer passes on its way to the ledger, on databases where everything is ready for it."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
from preceptor.identity.v1.events_pb2 import VENDOR_STATUS_ACTIVE, VendorChanged

from chassis.db import Database
from chassis.ids import new_id
from chassis.rpc.paging import Pager
from chassis.settings import load
from services.payouts import service as payouts
from services.scoring import service as scoring
from services.tasking import service as tasking
from services.tasking.context import Context
from services.tasking.reactions import on_expert_changed, on_vendor_changed
from services.tasking.settings import TaskingSettings
from services.tasking.usecases.open_batch import open_batch
from tests.benchmarks.content import new_tasks
from tests.benchmarks.measure import cpu_seconds, family_cpu_seconds
from tests.benchmarks.rig import Client, Rig, callers
from tests.support import payouts as market
from tests.support import tasking as world
from tests.support.bus import eventually

CALLS, SORTING, SCORING, MONEY = "tasking grpc", "tasking events", "scoring events", "payouts events"
_SERVICES = {CALLS: "tasking", SORTING: "tasking", SCORING: "scoring", MONEY: "payouts"}
_DEPOSIT = 10**12

_WAITING = "SELECT count(*) FROM outbox"
# When the row of each answer was committed, in seconds since 1970. A decision is the last change of an answer.
_COMMITTED_AT = {
    "tasking": """
SELECT answer_id AS answer, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at FROM answer
""",
    "payouts": """
SELECT (cause->>'answer')::uuid AS answer, extract(epoch FROM pg_xact_commit_timestamp(xmin))::float8 AS at
FROM transfer WHERE kind = 'pay'
""",
}
COUNTS = {
    "tasking": "SELECT count(*) FROM answer WHERE decision_version > 0",
    "scoring": "SELECT count(*) FROM task_state WHERE version > 0",
    "payouts": "SELECT coalesce(sum(decided), 0)::bigint FROM reserve",
}
"""How far answers are in each service."""


@dataclass
class Line:
    """The running processes by name, a client that hands in, and connections that see everything."""

    rig: Rig
    pids: dict[str, int]
    urls: dict[str, str]
    client: Client
    databases: dict[str, asyncpg.Connection[asyncpg.Record]]

    def cpu(self) -> dict[str, float]:
        """Processor seconds so far, of whatever an answer costs anything."""
        used = {name: cpu_seconds(pid) for name, pid in self.pids.items()}
        others = {"PostgreSQL": self.rig.postgres.pid, "Kafka": self.rig.kafka.pid}
        families = {name: family_cpu_seconds(pid) for name, pid in others.items()}
        return {**used, **families, "client": cpu_seconds(self.client.process.pid)}

    async def count(self, service: str) -> int:
        """How many answers a service has dealt with."""
        return int(await self.databases[service].fetchval(COUNTS[service]))

    async def passed(self, service: str, answers: int) -> None:
        """Returns when a service has dealt with so many, and told of it."""

        async def done() -> bool:
            waiting = await self.databases[service].fetchval(_WAITING)
            return bool(waiting == 0 and await self.count(service) >= answers)

        await eventually(done, within=120.0)

    async def told(self, service: str) -> None:
        """Returns when nothing waits in a service's outbox."""

        async def done() -> bool:
            return bool(await self.databases[service].fetchval(_WAITING) == 0)

        await eventually(done, within=120.0)

    async def committed_at(self, service: str) -> dict[str, float]:
        """When a service had dealt with each answer: decided, booked; in seconds since 1970."""
        rows = await self.databases[service].fetch(_COMMITTED_AT[service])
        return {str(row["answer"]): row["at"] for row in rows}

    @contextmanager
    def only(self, *running: str) -> Iterator[None]:
        """Lets only these processes run."""
        still = [pid for name, pid in self.pids.items() if name not in running]
        for pid in still:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in still:
                os.kill(pid, signal.SIGCONT)


@asynccontextmanager
async def start_line(rig: Rig, tasks: int, experts: int) -> AsyncIterator[Line]:
    """Starts the processes, each role by itself, and opens a funded batch of so many tasks at redundancy 1."""
    async with AsyncExitStack() as stack:
        modules = {"tasking": tasking, "scoring": scoring, "payouts": payouts}
        opened = {
            service: await stack.enter_async_context(rig.database(service, module.SERVICE.migrations))
            for service, module in modules.items()
        }
        urls = {service: url for service, (url, _) in opened.items()}
        addresses, pids = {}, {}
        for name, service in _SERVICES.items():
            process = await rig.service(service, name.split()[1], urls[service])
            stack.push_async_callback(rig.supervisor.stop, process.process)
            addresses[name], pids[name] = process.address, process.process.pid
        ids = await _ready(opened["tasking"][1], opened["payouts"][1], tasks, experts)
        views = {service: await stack.enter_async_context(rig.administrator(url)) for service, url in urls.items()}
        for view in views.values():
            await view.execute("VACUUM ANALYZE")
        client = await stack.enter_async_context(rig.client(addresses[CALLS], callers(ids)))
        yield Line(rig, pids, urls, client, views)


async def _ready(tasking_db: Database, payouts_db: Database, tasks: int, experts: int) -> list[UUID]:
    """Vendor, rate card, prefund, experts and the open batch; gives the experts."""
    money = market.Market(payouts_db, market.context())
    await money.open(deposit=_DEPOSIT)
    at_work = world.World(tasking_db, Context(load(TaskingSettings), Pager(bytes(32))), money.vendor_id, money.card.id)
    vendor = VendorChanged(vendor_id=str(money.vendor_id), version=1, status=VENDOR_STATUS_ACTIVE)
    await at_work.react(on_vendor_changed.react, vendor)
    ids = [new_id() for _ in range(experts)]
    await at_work.react(on_expert_changed.react, *map(world.expert_changed, ids))
    await money.react(*map(market.expert_changed, ids))

    async def has(sql: str) -> bool:
        return bool(await at_work.rows(sql))

    await eventually(lambda: has("SELECT FROM rate_card"))
    batch_id = await at_work.staged(new_tasks(tasks), await at_work.project(1, 1))
    await at_work.do(lambda tx: open_batch(tx, batch_id))
    await eventually(lambda: has("SELECT FROM batch WHERE state = 3"), within=60.0)
    return ids
