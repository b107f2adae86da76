"""The whole platform on one machine: four services behind an edge, and the payment provider's double."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from urllib.parse import urlsplit

from chassis.telemetry.serving import serve_metrics
from deploy.local.edge import EdgeOptions, EdgeProcess, start_edge
from deploy.local.operator import EMAIL as OPERATOR_EMAIL
from deploy.local.operator import ensure_operator
from deploy.local.ports import HOST
from deploy.local.processes import Supervisor, Tell
from deploy.local.provider.launch import ProviderServer, start_provider
from deploy.local.secrets import Secrets
from deploy.local.services import SERVICES, ServiceProcess, common_settings, kafka_settings, run_command, start_service
from deploy.local.stack import Backends

ADMIN_EMAIL = "admin@preceptor.example"
Settings = Mapping[str, Mapping[str, str]]
"""Service -> environment variables of its own."""


@dataclass(slots=True)
class Platform:
    """A running platform. `settings` are each service's whole environment, so that a killed one can be started anew."""

    supervisor: Supervisor
    backends: Backends
    provider: ProviderServer
    settings: dict[str, dict[str, str]] = field(repr=False)
    admin_password: str = field(repr=False)
    operator_password_file: Path
    services: dict[str, ServiceProcess] = field(default_factory=dict)
    callers: str = ""
    """Where this process tells of the calls that it makes, as host:port."""
    _edge: EdgeProcess | None = None

    @property
    def edge(self) -> EdgeProcess:
        """The one address for gRPC, gRPC-Web and JSON; it is there once the services are."""
        assert self._edge is not None, "the services have not started yet"
        return self._edge

    def address(self, service: str) -> str:
        """Where a service's gRPC API is."""
        return self.services[service].address

    def metrics(self) -> dict[str, str]:
        """Where each process tells its metrics, as host:port by its name; `callers` is this one, which makes calls."""
        found = {name: running.metrics for name, running in self.services.items()}
        return {**found, "callers": self.callers} if self.callers else found

    def database_url(self, service: str) -> str:
        """A service's own database, as its application role."""
        return self.settings[service]["PRECEPTOR_DATABASE_URL"]

    def database_name(self, service: str) -> str:
        """The name of a service's own database."""
        return urlsplit(self.database_url(service)).path.removeprefix("/")

    async def start(self, service: str, role: str = "all") -> None:
        """Starts a service in a role, at the addresses that it had before if it ran already.

        It is known by the service's name, a process of the role `events` by that and `-events`.
        """
        name = f"{service}-events" if role == "events" else service
        known = self.services.get(name)
        self.services[name] = await start_service(self.supervisor, service, role, self.settings[service], known)

    async def start_edge(self, home: Path, jwks: Path, options: EdgeOptions | None = None) -> None:
        """Starts the edge in front of the services as they are; services keep their addresses when started anew."""
        addresses = {name: self.address(name) for name in SERVICES}
        self._edge = await start_edge(self.supervisor, home, addresses, jwks, options)

    @property
    def topic_prefix(self) -> str:
        """What is put before the names of this platform's topics."""
        return self.settings["tasking"]["PRECEPTOR_KAFKA_TOPIC_PREFIX"]

    def describe(self) -> dict[str, object]:
        """Where everything is, without secrets: what `preceptor status` reads."""
        return {
            "services": {name: self.address(name) for name in SERVICES},
            "metrics": {name: f"http://{address}/metrics" for name, address in self.metrics().items()},
            "edge": {"url": self.edge.url, "admin": self.edge.admin},
            "kafka": {
                "description": self.backends.kafka_description,
                **self.backends.brokers.model_dump(mode="json", exclude_defaults=True),
            },
            "topic_prefix": self.topic_prefix,
            "postgres": {"description": self.backends.postgres_description},
            "provider": self.provider.url,
            "operator": {"email": OPERATOR_EMAIL, "password_file": str(self.operator_password_file)},
        }


@asynccontextmanager
async def start_platform(
    backends: Backends,
    home: Path,
    policy: Settings,
    *,
    prefix: str = "",
    partitions: int = 4,
    provider_options: tuple[str, ...] = (),
    edge: EdgeOptions | None = None,
    roles: tuple[str, ...] = ("all",),
    tell: Tell | None = None,
) -> AsyncIterator[Platform]:
    """Migrates, starts everything, and stops it at the end in the reverse order.

    `policy` adds settings per service, `prefix` keeps stacks apart that share backends, `roles` makes a process of each
    service for each of them, `tell` is told of what takes long to be ready. Raises ChildFailedError.
    """
    secrets = Secrets(home / "secrets")
    secrets.close()
    async with Supervisor(home / "logs", tell) as supervisor, serve_metrics(f"{HOST}:0", lambda: None) as port:
        await _make_keys(supervisor, secrets)
        provider = await start_provider(supervisor, home / "data" / "provider", *provider_options)
        settings = {
            service: {
                **common_settings(service, backends, secrets, prefix, partitions),
                **_own_settings(service, secrets, provider),
                **policy.get(service, {}),
            }
            for service in SERVICES
        }
        password, operator = secrets.password("admin"), secrets.password("operator")
        platform = Platform(supervisor, backends, provider, settings, password.read_text(), operator)
        platform.callers = f"{HOST}:{port}"
        await _migrate(platform)
        create_admin = ("create-admin", "--email", ADMIN_EMAIL, "--password-file", str(password))
        making_admin = run_command(supervisor, "identity", settings["identity"], *create_admin)
        starting = (platform.start(service, role) for service, role in product(SERVICES, roles))
        await _side_by_side(making_admin, *starting)
        await platform.start_edge(home, secrets.jwks, edge)
        admin = (ADMIN_EMAIL, platform.admin_password)
        await ensure_operator({"identity": platform.address("identity")}, admin, operator.read_text())
        (home / "stack.json").write_text(json.dumps(platform.describe(), indent=2) + "\n", encoding="utf-8")
        secrets.close()
        yield platform


def _own_settings(service: str, secrets: Secrets, provider: ProviderServer) -> dict[str, str]:
    """Secrets and addresses that only one service is told."""
    if service == "identity":
        return {
            "IDENTITY_SIGNING_KEYS_FILE": str(secrets.signing_keys),
            "IDENTITY_KEK_FILE": str(secrets.random("identity-kek")),
        }
    if service == "payouts":
        return {
            "PAYOUTS_KEK_FILE": str(secrets.random("payouts-kek")),
            "PAYOUTS_PROVIDER_URL": provider.url,
            "PAYOUTS_PROVIDER_TOKEN_FILE": str(provider.token_file),
        }
    return {}


async def _make_keys(supervisor: Supervisor, secrets: Secrets) -> None:
    if not secrets.jwks.exists():
        files = ("--private", str(secrets.signing_keys), "--public", str(secrets.jwks))
        await run_command(supervisor, "identity", {}, "generate-keys", *files)


async def _migrate(platform: Platform) -> None:
    """Brings all four databases to their schema, side by side. Only these processes sign in as an administrator."""
    backends = platform.backends
    administrator = {"PRECEPTOR_ADMIN_DATABASE_URL": backends.postgres_url, **kafka_settings(backends.brokers)}
    await _side_by_side(
        *(
            run_command(platform.supervisor, service, {**platform.settings[service], **administrator}, "migrate")
            for service in SERVICES
        )
    )


async def _side_by_side(*work: Coroutine[None, None, None]) -> None:
    """Does everything at once. Raises the first failure by itself, not in a group, and stops the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for piece in work:
                group.create_task(piece)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
