"""A PostgreSQL and a Kafka that are killed and started again on their ports and data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.local.kafka import KafkaServer, start_kafka
from deploy.local.platform import Platform
from deploy.local.postgres import PostgresServer, start_postgres
from deploy.local.processes import Supervisor
from deploy.local.stack import Backends

# What a killed server has committed lies in the system's memory: only a crash of the machine would need the disk. The
# commit itself must be waited for, other than in the tests that kill no server.
_POSTGRES = {"fsync": "off", "full_page_writes": "off", "checkpoint_timeout": "30min"}


@dataclass
class MortalBackends:
    """The servers of a run."""

    supervisor: Supervisor
    data: Path
    postgres: PostgresServer
    kafka: KafkaServer

    @property
    def addresses(self) -> Backends:
        """Where they are, as a platform is told."""
        kafka = self.kafka
        return Backends(self.postgres.url, "PostgreSQL", kafka.brokers, kafka.description, True, self.supervisor)

    async def kill_postgres(self) -> None:
        """SIGKILL to the server; its sessions notice."""
        await self.postgres.process.kill()
        await self.supervisor.stop(self.postgres.process)

    async def start_postgres(self) -> None:
        """Starts it again; it recovers first."""
        port, data = self.postgres.port, self.data / "postgres"
        self.postgres = await start_postgres(self.supervisor, data, port=port, settings=_POSTGRES)

    async def kill_kafka(self) -> None:
        """SIGKILL to the broker."""
        await self.kafka.process.kill()
        await self.supervisor.stop(self.kafka.process)

    async def start_kafka(self) -> None:
        """Starts it again."""
        self.kafka = await start_kafka(self.supervisor, self.data / "kafka", port=self.kafka.port)

    async def revive(self) -> None:
        """Starts what has been killed and not started again."""
        if self.postgres.process.returncode is not None:
            await self.start_postgres()
        if self.kafka.process.returncode is not None:
            await self.start_kafka()


@asynccontextmanager
async def mortal_backends(data: Path) -> AsyncIterator[MortalBackends]:
    """Starts both and stops them at the end."""
    async with Supervisor(data / "logs") as supervisor:
        async with asyncio.TaskGroup() as group:
            postgres = group.create_task(start_postgres(supervisor, data / "postgres", settings=_POSTGRES))
            kafka = group.create_task(start_kafka(supervisor, data / "kafka"))
        yield MortalBackends(supervisor, data, postgres.result(), kafka.result())


@asynccontextmanager
async def administrator(platform: Platform, service: str) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A service's database behind its back."""
    database = platform.database_name(service)
    connection = await asyncpg.connect(platform.backends.postgres_url, database=database, timeout=2)
    try:
        yield connection
    finally:
        await connection.close(timeout=2)
