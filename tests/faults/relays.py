"""Relays in processes of their own that are killed at random, and again and again between flush and delete.

Run as a program it keeps some relays alive until its input ends, then stops them properly and tells how many died. What
is killed is the ordinary relay: only the function it publishes with is wrapped, by one that may not return.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import select
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

from chassis.bus.brokers import Brokers
from chassis.bus.publisher import KafkaPublisher, Waiting, producer_settings
from chassis.bus.relay import Publish, Relay
from chassis.db import Database

REPOSITORY = Path(__file__).parents[2]


@dataclass(frozen=True)
class Plan:
    """What to run, and how it dies: at its own hand after a flush, or at ours at any moment."""

    url: str
    bootstrap: str
    prefix: str
    log: str
    relays: int = 3
    batch: int = 300
    dies_after_flush: float = 0.1
    """The probability, per round."""
    seconds_between_kills: float = 0.7
    """Between kills at any moment; zero for none."""


@dataclass
class Deaths:
    """How relays ended."""

    after_flush: int = 0
    at_random: int = 0


@asynccontextmanager
async def mortal_relays(plan: Plan) -> AsyncIterator[Deaths]:
    """Runs relays beside the test; how they died is known when it ends."""
    deaths = Deaths()
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.faults.relays", json.dumps(asdict(plan))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=REPOSITORY,
    )
    try:
        yield deaths
    finally:
        told, _ = await asyncio.wait_for(program.communicate(b"stop\n"), 60)
        last = json.loads(told.splitlines()[-1])
        deaths.after_flush, deaths.at_random = last["after_flush"], last["at_random"]


def main(plan: Plan) -> None:
    """Keeps the relays alive, and not, until the input ends."""
    alive: set[int] = set()
    at_random = 0
    next_kill = time.monotonic() + plan.seconds_between_kills
    while not select.select([sys.stdin], [], [], 0.02)[0]:
        alive = {pid for pid in alive if os.waitpid(pid, os.WNOHANG)[0] == 0}
        while len(alive) < plan.relays:
            alive.add(_start(plan))
        if plan.seconds_between_kills and time.monotonic() > next_kill:
            os.kill(random.choice(sorted(alive)), signal.SIGKILL)
            at_random += 1
            next_kill += random.uniform(0, 2 * plan.seconds_between_kills)
    for pid in alive:
        os.kill(pid, signal.SIGTERM)
    for pid in alive:
        os.waitpid(pid, 0)
    after_flush = Path(plan.log).stat().st_size if Path(plan.log).exists() else 0
    print(json.dumps({"after_flush": after_flush, "at_random": at_random}))  # noqa: T201


def _start(plan: Plan) -> int:
    """Forks a relay: all its modules are loaded here already, and nothing runs here yet that a fork could break."""
    pid = os.fork()
    if pid:
        return pid
    try:
        uvloop.run(_relay(plan))
    finally:
        os._exit(0)


async def _relay(plan: Plan) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    database = await Database.connect(plan.url, max_size=2)
    publisher = KafkaPublisher(producer_settings(Brokers(bootstrap_servers=plan.bootstrap)), plan.prefix)
    await Relay(database, _mortal(publisher.publish, plan), batch=plan.batch).run(stop)


def _mortal(publish: Publish, plan: Plan) -> Publish:
    async def publish_or_die(rows: Sequence[Waiting]) -> Mapping[int, str]:
        faults = await publish(rows)
        if not faults and random.random() < plan.dies_after_flush:
            log = os.open(plan.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(log, b"x")
            os.kill(os.getpid(), signal.SIGKILL)
        return faults

    return publish_or_die


if __name__ == "__main__":
    main(Plan(**json.loads(sys.argv[1])))
