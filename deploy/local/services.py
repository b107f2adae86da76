"""The four services as child processes: their settings, their migrations, and when they are ready."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from chassis.bus.brokers import Brokers
from clients.health import serving
from deploy.local.paths import ROOT
from deploy.local.ports import HOST, free_port
from deploy.local.processes import Check, Process, Program, Supervisor
from deploy.local.secrets import Secrets
from deploy.local.stack import Backends

SERVICES = ("identity", "tasking", "scoring", "payouts")
# A process waits for Kafka as long as it takes: after a kill, on a busy machine, most of a minute.
_IDLE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ServiceProcess:
    """A running service and where it listens."""

    service: str
    process: Process
    address: str
    metrics: str = ""
    """Where its metrics are, as host:port."""


def common_settings(service: str, backends: Backends, secrets: Secrets, prefix: str, partitions: int) -> dict[str, str]:
    """What every process of a service is told, in any role, besides where it listens."""
    password = quote(secrets.password(f"{service}_app").read_text(), safe="")
    url = urlsplit(backends.postgres_url)
    own = url._replace(
        netloc=f"{service}_app:{password}@{url.hostname}:{url.port}", path=f"/{database(service, prefix)}"
    )
    return {
        "PRECEPTOR_DATABASE_URL": urlunsplit(own),
        **kafka_settings(backends.service_brokers.get(service, backends.brokers)),
        "PRECEPTOR_KAFKA_TOPIC_PREFIX": prefix,
        "PRECEPTOR_KAFKA_PARTITIONS": str(partitions),
        "PRECEPTOR_JWKS_FILE": str(secrets.jwks),
        "PRECEPTOR_PAGE_TOKEN_KEY_FILE": str(secrets.random("page-token-key")),
        "PRECEPTOR_TRUSTED_EDGES": "127.0.0.0/8",
        "PRECEPTOR_REFLECTION": "true",
        "PRECEPTOR_DRAIN": "0",
        "PRECEPTOR_GRACE": "5",
    }


def kafka_settings(brokers: Brokers) -> dict[str, str]:
    """What a process is told to reach Kafka so."""
    told = brokers.model_dump(mode="json", exclude_defaults=True)
    return {f"PRECEPTOR_KAFKA_{name.upper()}": str(value) for name, value in told.items()}


def database(service: str, prefix: str) -> str:
    """The name of a service's database; stacks that share a server differ by their prefix."""
    return f"preceptor_{prefix.replace('.', '_').replace('-', '_')}{service}"


async def run_command(supervisor: Supervisor, service: str, settings: Mapping[str, str], *command: str) -> None:
    """Runs a command of a service to its good end. Raises ChildFailedError with the end of its log."""
    argv = [sys.executable, "-m", f"services.{service}", *command]
    process = await supervisor.start(Program(f"{service}-{command[0]}", argv, env=settings, cwd=ROOT))
    process.stopping = True  # its end is no failure
    await process.wait_ended(within=_IDLE_SECONDS)
    await supervisor.stop(process)


async def start_service(
    supervisor: Supervisor, service: str, role: str, settings: Mapping[str, str], known: ServiceProcess | None = None
) -> ServiceProcess:
    """Starts a service in a role, where it is `known` to listen; waits until it is ready. Raises ChildFailedError."""
    address = known.address if known else f"{HOST}:{free_port()}"
    metrics = known.metrics if known else f"{HOST}:{free_port()}"
    listen = {
        "PRECEPTOR_GRPC_LISTEN": address,
        "PRECEPTOR_HEALTH_LISTEN": address,
        "PRECEPTOR_METRICS_LISTEN": metrics,
    }
    argv = [sys.executable, "-m", f"services.{service}", role]
    program = Program(f"{service}-{role}", argv, env={**settings, **listen}, cwd=ROOT, stop_within=20.0)
    process = await supervisor.start(program, _is_ready(address), within=_IDLE_SECONDS)
    return ServiceProcess(service, process, address, metrics)


def _is_ready(address: str) -> Check:
    """Ready when the process says so itself, as a probe of Kubernetes would ask it."""

    async def check(_: Process) -> bool:
        ready = await serving(address)
        await asyncio.sleep(0 if ready else 0.05)
        return ready

    return check
