"""Single processes of identity beside the running platform: other settings, other databases, another end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from chassis.migrate import database_url
from clients.health import LIVENESS, READINESS, serving
from deploy.local.paths import ROOT
from deploy.local.ports import HOST, free_port
from deploy.local.processes import Process, Program, Supervisor
from deploy.local.services import ServiceProcess
from tests.support.bus import eventually
from tests.support.platform import Live


def settings_of(live: Live, **changes: str | None) -> dict[str, str]:
    """Identity's settings on the platform with changes; `None` leaves one out."""
    wanted = {**live.platform.settings["identity"], "PRECEPTOR_REFLECTION": "false", **changes}
    return {variable: value for variable, value in wanted.items() if value is not None}


@asynccontextmanager
async def identity(
    live: Live, logs: Path, role: str = "grpc", *, ready: bool = True, **changes: str | None
) -> AsyncIterator[ServiceProcess]:
    """A process of identity in a role, awaited until it is ready, or else until it is alive; killed at the end."""
    address = f"{HOST}:{free_port()}"
    metrics = f"{HOST}:{free_port()}"
    listen = {
        "PRECEPTOR_GRPC_LISTEN": address,
        "PRECEPTOR_HEALTH_LISTEN": address,
        "PRECEPTOR_METRICS_LISTEN": metrics,
    }
    async with Supervisor(logs) as supervisor:
        process = await start(supervisor, role, {**settings_of(live, **changes), **listen})
        await eventually(lambda: serving(address, READINESS if ready else LIVENESS))
        yield ServiceProcess("identity", process, address, metrics)
        await process.kill()


async def start(supervisor: Supervisor, command: str, settings: Mapping[str, str]) -> Process:
    """Starts a command of identity, whatever comes of it."""
    program = Program(f"identity-{command}-{uuid4().hex[:6]}", command_line(command), env=settings, cwd=ROOT)
    return await supervisor.start(program)


async def end_of(logs: Path, command: str, settings: Mapping[str, str]) -> tuple[int, str]:
    """Runs a command of identity to its end; gives exit code and output."""
    async with Supervisor(logs) as supervisor:
        process = await start(supervisor, command, settings)
        async with asyncio.timeout(120):
            return await process.wait(), process.output()


def command_line(command: str) -> list[str]:
    """How identity is run."""
    return [sys.executable, "-m", "services.identity", command]


@asynccontextmanager
async def empty_database(live: Live) -> AsyncIterator[str]:
    """A database of identity's without any schema; gives its URL for identity's role."""
    name = f"live_{uuid4().hex[:12]}"
    async with administrator(live) as server:
        await server.execute("CREATE DATABASE " + name)
        await server.execute("GRANT CONNECT ON DATABASE " + name + " TO identity_app")
        try:
            yield database_url(live.platform.database_url("identity"), name)
        finally:
            await server.execute("DROP DATABASE " + name + " WITH (FORCE)")


@asynccontextmanager
async def administrator(live: Live, url: str = "") -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """A connection as the administrator: to the server, or to the database of a service's URL."""
    admin = live.platform.backends.postgres_url
    database = urlsplit(url or admin).path.removeprefix("/") or None
    connection = await asyncpg.connect(admin, database=database)
    try:
        yield connection
    finally:
        await connection.close()


def through(url: str, port: int) -> str:
    """The same database by way of a port on the loopback."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{port}"))
