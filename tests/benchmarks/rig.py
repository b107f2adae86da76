"""What benchmarks run on: durable PostgreSQL and Apache Kafka of their own, service processes, and a client process."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import asyncpg

from chassis.bus import topics
from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue
from chassis.db import Database
from chassis.rpc.call import Caller
from chassis.rpc.signing import TokenSigner
from deploy.local.kafka import start_kafka
from deploy.local.paths import ROOT
from deploy.local.postgres import start_postgres
from deploy.local.processes import Process, Program, Supervisor, port_answers
from deploy.local.secrets import Secrets
from deploy.local.services import ServiceProcess, common_settings, run_command, start_service
from deploy.local.stack import Backends
from tests.support.databases import Databases
from tests.support.platform import expert

PARTITIONS = 4
# Commit times are what latency to a row is measured by. Durability stays as in production: only tests turn it off.
_POSTGRES = {"track_commit_timestamp": "on"}
_OWN_SETTINGS = {
    "payouts": {"PAYOUTS_PROVIDER_URL": "http://127.0.0.1:9", "PAYOUTS_SENDING": "false"},
}


@dataclass
class Client:
    """A process that makes calls: what it costs to make them must not count as the server's."""

    process: asyncio.subprocess.Process

    async def do(self, command: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
        """Lets it do something; gives its answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"command": command, **arguments}).encode() + b"\n")
        answer = await self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the client process failed at {command}: see what it printed")
        return json.loads(answer)


@dataclass
class Rig:
    """Backends, the secrets of the services on them, and how long to measure."""

    backends: Backends
    supervisor: Supervisor
    secrets: Secrets
    databases: Databases
    postgres: Process
    kafka: Process
    rounds: int
    seconds: float
    prefix: str = ""

    async def service(self, service: str, role: str, database_url: str) -> ServiceProcess:
        """Starts a process of a service; it is ready."""
        return await start_service(self.supervisor, service, role, self.settings(service, database_url))

    def settings(self, service: str, database_url: str) -> dict[str, str]:
        """What the process of a service is told."""
        own = dict(_OWN_SETTINGS.get(service, {}))
        if service == "payouts":
            own["PAYOUTS_KEK_FILE"] = str(self.secrets.random("payouts-kek"))
            own["PAYOUTS_PROVIDER_TOKEN_FILE"] = str(self.secrets.password("provider-token"))
        common = common_settings(service, self.backends, self.secrets, self.prefix, PARTITIONS)
        return {**common, "PRECEPTOR_DATABASE_URL": database_url, **own}

    async def process(self, name: str, module: str, address: str, settings: Mapping[str, str]) -> Process:
        """Starts a server of our own; it accepts connections."""
        host, _, port = address.rpartition(":")
        program = Program(name, [sys.executable, "-m", module], env=settings, cwd=ROOT)
        return await self.supervisor.start(program, port_answers(host, int(port)))

    @asynccontextmanager
    async def database(self, service: str, migrations: Path) -> AsyncIterator[tuple[str, Database]]:
        """A fresh database of a service: its URL and an open pool, both as the application role."""
        async with self.databases.fresh(service, migrations) as url:
            database = await Database.connect(url, events=EventWriter(service, catalogue()))
            try:
                yield url, database
            finally:
                await database.close()

    @asynccontextmanager
    async def administrator(self, url: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
        """A connection to the database of a service's URL as the administrator, whom no policy holds up."""
        name = urlsplit(url).path.removeprefix("/")
        connection = await asyncpg.connect(self.backends.postgres_url, database=name)
        try:
            yield connection
        finally:
            await connection.close()

    @asynccontextmanager
    async def client(self, address: str, callers: Sequence[Caller]) -> AsyncIterator[Client]:
        """A client process with a token for each caller."""
        signer = TokenSigner(self.secrets.signing_keys, "preceptor", timedelta(hours=1))
        who = [(signer.access_token(caller)[0], str(caller.expert_id)) for caller in callers]
        pipe = asyncio.subprocess.PIPE
        argv = (sys.executable, "-m", "tests.benchmarks.client")
        child = await asyncio.create_subprocess_exec(*argv, stdin=pipe, stdout=pipe, cwd=ROOT, limit=1 << 28)
        client = Client(child)
        try:
            await client.do("open", address=address, callers=who)
            yield client
        finally:
            if child.returncode is None:
                child.kill()
            await child.wait()

    async def with_own_topics(self) -> Rig:
        """The same with fresh topics: what one benchmark leaves on the bus is nothing for the services of the next."""
        prefix, wanted = f"b{uuid4().hex[:6]}.", topics.topics_of(catalogue().values())
        await topics.ensure(self.backends.brokers, wanted, prefix=prefix, partitions=PARTITIONS)
        return replace(self, prefix=prefix)


def callers(ids: Sequence[UUID]) -> list[Caller]:
    """Experts as they call."""
    return [expert(id_) for id_ in ids]


@asynccontextmanager
async def start_rig(home: Path, rounds: int, seconds: float) -> AsyncIterator[Rig]:
    """Starts the backends in a folder of their own and stops them at the end."""
    async with Supervisor(home / "logs") as supervisor:
        postgres = await start_postgres(supervisor, home / "postgres", settings=_POSTGRES)
        kafka = await start_kafka(supervisor, home / "kafka")
        backends = Backends(postgres.url, "PostgreSQL 18", kafka.brokers, kafka.description, True, supervisor)
        secrets, databases = Secrets(home / "secrets"), Databases(postgres.url, "bench")
        secrets.folder.mkdir(parents=True, exist_ok=True)
        keys = ("generate-keys", "--private", str(secrets.signing_keys), "--public", str(secrets.jwks))
        await run_command(supervisor, "identity", {}, *keys)
        yield Rig(backends, supervisor, secrets, databases, postgres.process, kafka.process, rounds, seconds)
        await databases.drop_templates()
