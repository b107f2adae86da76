"""Beside strangers that send whatever they like, whoever is signed in is served as ever, and memory stays.

Each hostile load runs beside a good caller, and so does a harmless one of as many calls, connections or bytes. In
`make test` for a moment, to see that the good caller is answered and that memory is bounded; in `make faults` long
enough to compare what the good caller waits.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import grpc
import jwt
import pytest
import pytest_asyncio
from preceptor.payouts.v1 import earning_pb2

from chassis.rpc.claims import read_claims
from chassis.rpc.signing import TokenSigner
from deploy.local.paths import ROOT
from deploy.local.stack import Backends
from tests.faults.size import LONG, write_report
from tests.faults.strangers import AS_COSTLY, HOSTILE
from tests.support.edge import Person, Stage, staged
from tests.support.platform import live_platform
from tests.support.transports import Call, Native, call_of

MEBIBYTE = 1024 * 1024
MOST_GROWTH, MOST_RATIO = 100 * MEBIBYTE, 2.0
# Hostile and harmless rounds take turns, so that what else the machine does disturbs both alike.
ROUNDS, SECONDS, SERIES = (8, 1.5, 3) if LONG else (1, 1.5, 1)
PACE = 0.02
WARM_UP = 100


@pytest_asyncio.fixture(scope="module")
async def stage(backends: Backends, backend_data: Path) -> AsyncIterator[Stage]:
    """A platform of its own: what others ask of one would count here."""
    home = backend_data / "beside-strangers"
    async with live_platform(backends, home, f"strangers{uuid4().hex[:8]}.") as live, staged(live, home) as made:
        yield made


@dataclass
class Seen:
    """What the good caller saw beside a load."""

    seconds: list[float] = field(default_factory=list)
    """How long each of its calls took."""
    codes: set[int] = field(default_factory=set)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.seconds, n=100)[-1]


@pytest.mark.parametrize("shape", HOSTILE)
async def test_a_good_caller_beside_strangers_is_served_and_memory_stays(stage: Stage, shape: str) -> None:
    async with grpc.aio.insecure_channel(stage.platform.edge.address) as channel:
        transport = Native(channel)
        call = good(stage)
        for _ in range(WARM_UP):
            await transport.call(call)
        before, ratios = memory(stage), list[float]()
        # A series may be disturbed; what is slow by itself is slow in each.
        while len(ratios) < SERIES and (not ratios or ratios[-1] > MOST_RATIO):
            ratios.append(await series(stage, transport, shape))
        grown = {name: after - before[name] for name, after in memory(stage).items()}

    write_report(f"strangers-{shape}", {"p99_ratios": ratios, "grown_mebibytes": in_mebibytes(grown)})
    assert max(grown.values()) < MOST_GROWTH, in_mebibytes(grown)
    assert min(ratios) <= MOST_RATIO, ratios


async def series(stage: Stage, transport: Native, shape: str) -> float:
    """How much longer the slowest of a hundred calls takes beside strangers than beside others; 0: not compared."""
    hostile, harmless = Seen(), Seen()
    for _ in range(ROUNDS):
        await beside(stage, transport, shape, hostile)
        if LONG:
            await beside(stage, transport, AS_COSTLY[shape], harmless)
    assert hostile.codes | harmless.codes == {0}, "the good caller is always served"
    return hostile.p99 / harmless.p99 if LONG else 0.0


async def beside(stage: Stage, transport: Native, load: str, seen: Seen) -> None:
    """Makes good calls, paced, while a process of its own makes a load."""
    call = good(stage)
    argv = (sys.executable, "-m", "tests.faults.strangers", stage.platform.edge.address, load, str(SECONDS))
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(*argv, lasting(stage, stage.ann), stdout=pipe, cwd=ROOT)
    told = asyncio.create_task(child.communicate())
    try:
        while not told.done():
            begun = time.perf_counter()
            seen.codes.add((await transport.call(call)).code)
            seen.seconds.append(time.perf_counter() - begun)
            await asyncio.sleep(PACE)
        assert json.loads((await told)[0])["requests"], load
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def good(stage: Stage) -> Call:
    """What somebody who is signed in asks for."""
    request = earning_pb2.GetBalanceRequest(expert=stage.bob.name, currency="USD")
    return call_of("payouts.EarningService/GetBalance", request, token=lasting(stage, stage.bob))


def lasting(stage: Stage, person: Person) -> str:
    """A token of somebody that lasts longer than a series does."""
    claims = jwt.decode(person.token, options={"verify_signature": False})
    signer = TokenSigner(stage.secrets.signing_keys, "preceptor", timedelta(hours=1))
    return signer.access_token(read_claims(claims).caller)[0]


def memory(stage: Stage) -> dict[str, int]:
    """Bytes that the edge and each service hold."""
    running = {name: service.process.pid for name, service in stage.platform.services.items()}
    return {name: resident(pid) for name, pid in {**running, "edge": stage.platform.edge.process.pid}.items()}


def resident(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def in_mebibytes(sizes: dict[str, int]) -> dict[str, float]:
    return {name: round(size / MEBIBYTE, 1) for name, size in sizes.items()}
