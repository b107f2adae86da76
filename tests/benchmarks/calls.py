"""Claim and submit, per second and process of tasking, beside a bare handler with the same statements and commit."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from deploy.local.ports import HOST, free_port
from services.tasking.service import SERVICE
from tests.benchmarks.content import new_tasks
from tests.benchmarks.measure import Figure, against, cpu_seconds
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Client, Rig, callers
from tests.support.tasking import tasking_world

_EXPERTS = 128
_CONCURRENCY = 16
_PAIRS_A_SECOND = 400
"""More than are reached: how many tasks to have ready."""


@dataclass
class Side:
    """A server with its client, and what was measured: calls a second, and microseconds of its processor a call."""

    client: Client
    pid: int
    rates: dict[str, list[float]] = field(default_factory=lambda: {"claim": [], "submit": []})
    cpu: dict[str, list[float]] = field(default_factory=lambda: {"claim": [], "submit": []})

    async def measure(self, turns: int) -> None:
        """Lets every expert claim, then hand in, so many times."""
        seconds, used = dict.fromkeys(self.rates, 0.0), dict.fromkeys(self.rates, 0.0)
        for _ in range(turns):
            for call in self.rates:
                before = cpu_seconds(self.pid)
                seconds[call] += await self.client.do(call, concurrency=_CONCURRENCY)
                used[call] += cpu_seconds(self.pid) - before
        for call, rates in self.rates.items():
            rates.append(turns * _EXPERTS / seconds[call])
            self.cpu[call].append(turns * _EXPERTS / max(used[call], 0.01))


async def run(rig: Rig, step: Step) -> Sequence[Figure]:
    """Rates of both calls, and the ratio of what they cost the process."""
    turns = max(1, round(rig.seconds * 200 / _EXPERTS))
    async with _sides(rig, (2 * rig.rounds * turns + 4) * _EXPERTS) as (ours, bare):
        for side in (ours, bare):
            await side.measure(1)  # warm: plans, tokens, pools
            for samples in (*side.rates.values(), *side.cpu.values()):
                samples.clear()
        for _ in step.through(range(rig.rounds)):
            for side in (ours, bare):
                await side.measure(turns)
    figures = [
        against(f"{call} beside a bare handler", "/s", ours.rates[call], bare.rates[call], 0.6) for call in ours.rates
    ]
    return figures + [
        against(f"{call} by processor time of the process", "/s", ours.cpu[call], bare.cpu[call]) for call in ours.cpu
    ]


@asynccontextmanager
async def _sides(rig: Rig, tasks: int) -> AsyncIterator[tuple[Side, Side]]:
    """Tasking's own server and the bare one, on one database with so many tasks to claim."""
    async with AsyncExitStack() as stack:
        url, database = await stack.enter_async_context(rig.database("tasking", SERVICE.migrations))
        world = await tasking_world(database)
        await world.opened(new_tasks(tasks), await world.project(1, 1))
        administrator = await stack.enter_async_context(rig.administrator(url))
        await administrator.execute("VACUUM ANALYZE")
        server = await rig.service("tasking", "grpc", url)
        listen = f"{HOST}:{free_port()}"
        settings = {"BARE_DATABASE_URL": url, "BARE_LISTEN": listen}
        bare = await rig.process("bare", "tests.benchmarks.bare_server", listen, settings)
        stack.push_async_callback(rig.supervisor.stop, server.process)
        stack.push_async_callback(rig.supervisor.stop, bare)
        sides = []
        for address, pid in ((server.address, server.process.pid), (listen, bare.pid)):
            client = rig.client(address, callers(await world.experts(_EXPERTS)))
            sides.append(Side(await stack.enter_async_context(client), pid))
        yield sides[0], sides[1]
