"""PostgreSQL and Kafka for one run, ours or the ones that the environment names, and their addresses.

    async with start_backends(LOCAL / "data", fast=False) as backends:
        ...                                     # backends.postgres_url, backends.brokers

`DATABASE_URL` (an administrator's) and `KAFKA_BOOTSTRAP_SERVERS` name servers to use instead of starting any. TLS to
them is said by the URL's parameters (`sslmode=verify-full&sslrootcert=FILE`) and by the services' own settings of
Kafka, such as `PRECEPTOR_KAFKA_SECURITY_PROTOCOL`.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from pydantic import ValidationError
from rich.console import Console

from chassis.bus.brokers import Brokers
from chassis.settings import SettingsError, faults_of
from chassis.tls import checked_url
from deploy.local.java import JavaMissingError
from deploy.local.kafka import start_kafka
from deploy.local.kafka_jars import JarsUnavailableError
from deploy.local.mock_broker import start_mock_broker
from deploy.local.postgres import start_postgres
from deploy.local.processes import Supervisor, Tell

_IN_MEMORY = "librdkafka's in-memory broker"
_PREFIX = "PRECEPTOR_KAFKA_"

_Postgres = Coroutine[None, None, tuple[str, str]]
_Kafka = Coroutine[None, None, tuple[Brokers, str, bool]]


@dataclass(frozen=True, slots=True)
class Backends:
    """Where the backends are and what they are; the supervisor that runs what we started."""

    postgres_url: str = field(repr=False)
    """An administrator's address."""
    postgres_description: str
    brokers: Brokers
    """How an administrator reaches Kafka."""
    kafka_description: str
    kafka_is_real: bool
    """False on the in-memory broker: nothing there outlives it, and its topics were given at the start."""
    supervisor: Supervisor
    service_brokers: Mapping[str, Brokers] = field(default_factory=dict)
    """How a service reaches Kafka, where that is not as an administrator does."""


class DataInUseError(RuntimeError):
    """Another stack runs on the same data folder."""


@asynccontextmanager
async def start_backends(
    data: Path,
    *,
    fast: bool,
    require_kafka: bool = False,
    topics: Mapping[str, int] | None = None,
    logs: Path | None = None,
    tell: Tell | None = None,
) -> AsyncIterator[Backends]:
    """Start both backends side by side on `data` and stop them at the end.

    `fast` makes PostgreSQL forget durability (tests). Without Apache Kafka's jars or a Java the in-memory broker takes
    its place, with `topics` (name: partitions) made in it, unless `require_kafka` says that this is an error:
    JarsUnavailableError or JavaMissingError. `tell` is told of what takes long to be ready. Raises DataInUseError when
    the folder is taken, and SettingsError.
    """
    database, brokers = _named_database(), _named_brokers()
    with _taken(data):
        async with Supervisor(logs or data / "logs", tell) as supervisor:
            yield await _both(
                supervisor,
                _postgres(supervisor, data / "postgres", fast, database),
                _kafka(supervisor, data / "kafka", require_kafka, topics or {}, brokers),
            )


async def _both(supervisor: Supervisor, postgres: _Postgres, kafka: _Kafka) -> Backends:
    try:
        async with asyncio.TaskGroup() as group:
            database = group.create_task(postgres)
            bus = group.create_task(kafka)
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
    url, description = database.result()
    brokers, broker, real = bus.result()
    return Backends(url, description, brokers, broker, real, supervisor)


async def _postgres(supervisor: Supervisor, data: Path, fast: bool, named: str) -> tuple[str, str]:
    url = named or (await start_postgres(supervisor, data, fast=fast)).url
    connection = await asyncpg.connect(url)
    try:
        version: str = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    return url, f"PostgreSQL {version.split()[0]}"


async def _kafka(
    supervisor: Supervisor, data: Path, required: bool, topics: Mapping[str, int], named: Brokers | None
) -> tuple[Brokers, str, bool]:
    if named is not None:
        return named, f"the Kafka at {named.bootstrap_servers}", True
    try:
        server = await start_kafka(supervisor, data)
    except (JarsUnavailableError, JavaMissingError) as missing:
        if required:
            raise
        _warn(missing)
        return await start_mock_broker(supervisor, topics), _IN_MEMORY, False
    return server.brokers, server.description, True


def _named_database() -> str:
    """An administrator's address of somebody else's server, if the environment names one. Raises SettingsError."""
    try:
        return checked_url(os.environ.get("DATABASE_URL", ""))
    except ValueError as error:
        raise SettingsError(f"The settings do not fit:\n  DATABASE_URL: {error}") from None


def _named_brokers() -> Brokers | None:
    """Somebody else's brokers, if the environment names some. Raises SettingsError.

    Our services inherit the settings that say how these are reached, and we read the same.
    """
    if not (servers := os.environ.get("KAFKA_BOOTSTRAP_SERVERS")):
        return None
    told = {name: os.environ.get(_PREFIX + name.upper()) for name in Brokers.model_fields}
    values = {name: value for name, value in told.items() if value is not None}
    try:
        return Brokers.model_validate({**values, "bootstrap_servers": servers})
    except ValidationError as error:
        raise SettingsError("\n  ".join(["The settings do not fit:", *faults_of(error, _PREFIX)])) from None


def _warn(missing: Exception) -> None:
    console = Console(stderr=True)
    console.print(f"[bold yellow]No Apache Kafka: running on {_IN_MEMORY}.[/]", highlight=False)
    console.print("Events are lost when it stops, and it proves nothing about Kafka. The reason:", highlight=False)
    console.print(f"  {missing}", markup=False, highlight=False)


@contextmanager
def _taken(data: Path) -> Iterator[None]:
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DataInUseError(f"{data} is in use: is another `make run` going?") from None
        yield
