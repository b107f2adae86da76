"""PostgreSQL and Apache Kafka in containers, for test runs on a machine with a Docker engine and the images."""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import docker
import structlog
from docker.errors import DockerException, ImageNotFound, NotFound
from testcontainers.community.kafka import KafkaContainer
from testcontainers.community.postgres import PostgresContainer
from testcontainers.core.config import ConnectionMode, testcontainers_config

from chassis.bus.brokers import Brokers
from deploy.images import KAFKA, POSTGRES
from deploy.local.kafka_jars import KAFKA_VERSION
from deploy.local.postgres import parameters
from deploy.local.processes import Supervisor
from deploy.local.stack import Backends

_log = structlog.get_logger(__name__)
_LABEL = "preceptor.tests.process"
_OWN_ADDRESSES = {"listen_addresses", "unix_socket_directories"}

# The image that sweeps up after a run is not to be had everywhere: runs do it themselves, see `_sweep`.
testcontainers_config.ryuk_disabled = True
# Also inside a container of one's own the published ports are asked for, not the bridge.
testcontainers_config.connection_mode_override = ConnectionMode.docker_host
testcontainers_config.max_tries = 30


def why_not() -> str:
    """What is missing to run on containers; nothing if they can be used."""
    try:
        client = docker.from_env(timeout=5)
        client.ping()
    except DockerException:
        return "no Docker engine answers"
    try:
        for image in (POSTGRES, KAFKA):
            client.images.get(image)
    except ImageNotFound:
        return "the images are not there, `make images` builds them"
    return ""


@asynccontextmanager
async def container_backends(logs: Path) -> AsyncIterator[Backends]:
    """Both backends side by side, removed at the end."""
    _sweep()
    with ExitStack() as stack:
        postgres, kafka = await asyncio.gather(
            asyncio.to_thread(stack.enter_context, _postgres()),
            asyncio.to_thread(stack.enter_context, _kafka()),
        )
        async with Supervisor(logs) as supervisor:
            yield Backends(
                postgres_url=postgres.get_connection_url(),
                postgres_description="PostgreSQL 18 in a container",
                brokers=Brokers(bootstrap_servers=kafka.get_bootstrap_server()),
                kafka_description=f"Apache Kafka {KAFKA_VERSION} in a container",
                kafka_is_real=True,
                supervisor=supervisor,
            )


@contextmanager
def _postgres() -> Iterator[PostgresContainer]:
    password = secrets.token_urlsafe(24)
    container = PostgresContainer(POSTGRES, username="postgres", password=password, dbname="postgres", driver=None)
    wanted = {name: value for name, value in parameters(fast=True).items() if name not in _OWN_ADDRESSES}
    options = [option for name, value in wanted.items() for option in ("-c", f"{name}={value}")]
    with container.with_command(["postgres", *options]).with_kwargs(labels=_labels()) as started:
        yield started


@contextmanager
def _kafka() -> Iterator[KafkaContainer]:
    with KafkaContainer(KAFKA).with_kraft().with_kwargs(labels=_labels()) as started:
        yield started


def _labels() -> dict[str, str]:
    return {_LABEL: str(os.getpid())}


def _sweep() -> None:
    """Removes what runs that were killed left behind."""
    for container in docker.from_env().containers.list(all=True, filters={"label": _LABEL}):
        process = Path("/proc") / container.labels[_LABEL]
        if not process.exists():
            _log.warning("removing a container of a test run that is gone", container=container.name)
            try:
                container.remove(force=True, v=True)
            except NotFound:
                continue
