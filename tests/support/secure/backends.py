"""Both servers by TLS alone, a user of Kafka for each service, and rules that let each do what it must and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from chassis.bus.rights import rights_of
from deploy.local.processes import Supervisor
from deploy.local.services import SERVICES
from deploy.local.stack import Backends
from tests.support.secure.certificates import Authority
from tests.support.secure.kafka import ADMINISTRATOR, start_secure_kafka
from tests.support.secure.postgres import start_secure_postgres


@asynccontextmanager
async def secure_backends(folder: Path, prefix: str) -> AsyncIterator[Backends]:
    """Starts both for a platform of this prefix. All that must be kept secret lies in `folder`."""
    authority = Authority(folder / "authority")
    async with Supervisor(folder / "logs") as supervisor:
        postgres, kafka = await asyncio.gather(
            start_secure_postgres(supervisor, folder / "postgres", authority),
            start_secure_kafka(supervisor, folder / "kafka", authority, SERVICES),
        )
        for service in SERVICES:
            hears = import_module(f"services.{service}.service").SERVICE.reactions
            await asyncio.to_thread(kafka.allow, service, rights_of(service, hears, prefix))
        yield Backends(
            postgres_url=postgres.url,
            postgres_description="PostgreSQL by TLS",
            brokers=kafka.brokers(ADMINISTRATOR),
            kafka_description=f"{kafka.server.description} by TLS and SASL",
            kafka_is_real=True,
            supervisor=supervisor,
            service_brokers={service: kafka.brokers(service) for service in SERVICES},
        )
