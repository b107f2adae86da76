"""The command line of a service: ``grpc`` serves calls, ``events`` runs relay, consumer and timers, ``all`` is both.

``migrate`` brings the database to the current schema and makes the topics, then ends.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TypeVar
from urllib.parse import unquote, urlsplit

import structlog
import typer
import uvloop
from confluent_kafka import KafkaException

from chassis import last_words, log
from chassis.bus import topics
from chassis.contract.events import catalogue
from chassis.errors import ServiceError
from chassis.migrate import migrate
from chassis.process import Role, run_role
from chassis.service import Service
from chassis.settings import ChassisSettings, SettingsError, load

_log = structlog.get_logger(__name__)

C = TypeVar("C")

_ROLES = {
    Role.GRPC: "Serve calls, and nothing else: scale it on load.",
    Role.EVENTS: "Run relay, consumer and timers: scale it on lag.",
    Role.ALL: "Serve calls and run relay, consumer and timers in one process.",
}


def main(service: Service[C], commands: typer.Typer | None = None) -> None:
    """Runs what the command line asks for: a role, `migrate`, or one of the service's own `commands`."""
    log.configure(service.name, "start")
    app = commands or typer.Typer(no_args_is_help=True)
    app.info.help = app.info.help or f"The {service.name} service. Example: python -m services.{service.name} all"
    for role, told in _ROLES.items():
        app.command(role.value, help=told)(_runner(service, role))
    app.command("migrate", help="Bring the database to the current schema and make the topics, then end.")(
        lambda: _run_to_end(_migrate(service))
    )
    with last_words.told():
        app(prog_name=f"python -m services.{service.name}")


def _runner(service: Service[C], role: Role) -> Callable[[], None]:
    return lambda: _run_to_end(run_role(service, role))


def _run_to_end(work: Coroutine[None, None, None]) -> None:
    """Runs it. If what it needs is away or does not let it in, the process ends, and whoever runs it starts it anew."""
    try:
        uvloop.run(work)
    except ServiceError as error:
        cause = error.__cause__
        # Why a connection fails holds no data; what PostgreSQL says may.
        reason = {"cause": str(cause)} if isinstance(cause, OSError | KafkaException) else {}
        _log.error("not started", error=str(error), **reason)
        raise SystemExit(1) from None


async def _migrate(service: Service[C]) -> None:
    """Makes database, role and topics where they are missing. Raises `SettingsError` and what `migrate` raises."""
    last_words.watch_loop()
    settings = load(ChassisSettings)
    log.configure(service.name, "migrate")
    own = urlsplit(settings.database_url.get_secret_value())
    if own.username != service.app_role:
        raise SettingsError(f"PRECEPTOR_DATABASE_URL must name the role {service.app_role}")
    if settings.admin_database_url is None:
        raise SettingsError("PRECEPTOR_ADMIN_DATABASE_URL: migrate needs it")
    applied = await migrate(
        settings.admin_database_url.get_secret_value(),
        own.path.removeprefix("/"),
        service.app_role,
        unquote(own.password or ""),
        service.migrations,
    )
    await topics.ensure(
        settings.kafka,
        topics.topics_of(catalogue().values()),
        prefix=settings.kafka_topic_prefix,
        partitions=settings.kafka_partitions,
        replication=settings.kafka_replication,
    )
    _log.info("migrated", applied=applied)
