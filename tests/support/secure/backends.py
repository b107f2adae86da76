"""Both servers by TLS alone, a user of Kafka for each service, and rules that let each do what it must and no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._acl import AclBinding, AclOperation, AclPermissionType
from confluent_kafka.admin._resource import ResourcePatternType, ResourceType

from chassis.bus.brokers import client_settings
from chassis.bus.rights import Right, rights_of
from deploy.local.processes import Supervisor
from deploy.local.services import SERVICES
from deploy.local.stack import Backends
from tests.support.secure.certificates import Authority
from tests.support.secure.kafka import ADMINISTRATOR, SecureKafka, start_secure_kafka
from tests.support.secure.postgres import start_secure_postgres

_SECONDS = 60.0


@asynccontextmanager
async def secure_backends(folder: Path, prefix: str) -> AsyncIterator[Backends]:
    """Starts both for a platform of this prefix. All that must be kept secret lies in `folder`."""
    authority = Authority(folder / "authority")
    async with Supervisor(folder / "logs") as supervisor:
        postgres, kafka = await asyncio.gather(
            start_secure_postgres(supervisor, folder / "postgres", authority),
            start_secure_kafka(supervisor, folder / "kafka", authority, SERVICES),
        )
        await asyncio.to_thread(_let_do, kafka, prefix)
        yield Backends(
            postgres_url=postgres.url,
            postgres_description="PostgreSQL by TLS",
            brokers=kafka.brokers(ADMINISTRATOR),
            kafka_description=f"{kafka.server.description} by TLS and SASL",
            kafka_is_real=True,
            supervisor=supervisor,
            service_brokers={service: kafka.brokers(service) for service in SERVICES},
        )


def _let_do(kafka: SecureKafka, prefix: str) -> None:
    """Gives every service its rights, and nobody else any."""
    rules = [
        _rule(service, right)
        for service in SERVICES
        for right in rights_of(service, import_module(f"services.{service}.service").SERVICE.reactions, prefix)
    ]
    admin = AdminClient(client_settings(kafka.brokers(ADMINISTRATOR)))
    for made in admin.create_acls(rules, request_timeout=_SECONDS).values():
        made.result(_SECONDS)


def _rule(service: str, right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.resource.value],
        right.name,
        ResourcePatternType.LITERAL,
        f"User:{service}",
        "*",
        AclOperation[right.operation.value],
        AclPermissionType.ALLOW,
    )
