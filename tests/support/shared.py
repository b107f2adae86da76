"""One PostgreSQL and one Kafka for all processes of a test run, which start when first asked for and end with the last.

The servers belong to a process of their own, `python -m tests.support.shared FOLDER`, that lives as long as anybody
who uses them holds the lock FOLDER/users. Who is killed lets go of it like who ends, so nothing outlives a run.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import fields
from pathlib import Path

from chassis.bus.brokers import Brokers
from deploy.local.paths import ROOT
from deploy.local.processes import Supervisor
from deploy.local.stack import Backends, start_backends
from tests.support.containers import container_backends
from tests.support.databases import Databases

_STARTED, _FAILED, _LIVES = "started.json", "failed.txt", "lives"
_hosts: list[subprocess.Popen[bytes]] = []


class BackendsFailedError(RuntimeError):
    """The servers that tests share did not start."""


@asynccontextmanager
async def shared_backends(folder: Path, *, contained: bool) -> AsyncIterator[Backends]:
    """The servers of the run that keeps its things in `folder`; raises BackendsFailedError."""
    with _locked(folder / "users", fcntl.LOCK_SH):
        started = await asyncio.to_thread(_started, folder, contained)
        yield started


def _started(folder: Path, contained: bool) -> Backends:
    """What the servers' process has told of itself; starts it if this is the first who asks."""
    with _locked(folder / "starting", fcntl.LOCK_EX):
        if not (folder / _STARTED).exists() and not (folder / _FAILED).exists():
            _start(folder, contained)
    if (folder / _FAILED).exists():
        raise BackendsFailedError((folder / _FAILED).read_text())
    told = json.loads((folder / _STARTED).read_text())
    return Backends(**{**told, "brokers": Brokers(**told["brokers"])}, supervisor=Supervisor(folder / "logs"))


def _start(folder: Path, contained: bool) -> None:
    """Starts the process that runs the servers, and waits until it has told what came of it."""
    command = [sys.executable, "-m", "tests.support.shared", str(folder), *(["--contained"] if contained else [])]
    with (folder / "host.log").open("ab") as log:
        # In a session of its own: a Ctrl-C at the terminal ends the tests, and their end ends the servers, in order.
        host = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
        )
    _hosts.append(host)  # to its end: it outlives this process if others use it then
    assert host.stdout is not None
    with host.stdout as told:
        told.read()
    if not (folder / _STARTED).exists() and not (folder / _FAILED).exists():
        (folder / _FAILED).write_text(f"its process ended; see {folder / 'host.log'}")


async def _serve(folder: Path, contained: bool) -> None:
    """Runs the servers until nobody uses them any more."""
    own = folder / f"servers-{os.getpid()}"
    starting = container_backends(own / "logs") if contained else start_backends(own, fast=True, require_kafka=True)
    async with starting as backends:
        told = {field.name: getattr(backends, field.name) for field in fields(Backends) if field.name != "supervisor"}
        _write_whole(folder / _STARTED, json.dumps({**told, "brokers": backends.brokers.model_dump(mode="json")}))
        _say_done()
        await asyncio.to_thread(_wait_for_the_last, folder)
        await Databases(backends.postgres_url, folder.name).drop_templates()


def _wait_for_the_last(folder: Path) -> None:
    """Returns when nobody uses the servers, and whoever comes next will start others."""
    with _locked(folder / "users", fcntl.LOCK_EX):
        (folder / _STARTED).unlink()


def wait_for_the_end(folder: Path, within: float = 60.0) -> bool:
    """Whether the servers of a run whose users have all gone are gone too, in so many seconds at most."""
    deadline = time.monotonic() + within
    with (folder / _LIVES).open("a") as file:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)


def _say_done() -> None:
    """Closes the pipe that the starter reads to its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, sys.stdout.fileno())
    os.close(nothing)


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_suffix(".new")
    draft.touch(0o600)
    draft.write_text(text)
    draft.rename(path)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


def main() -> None:
    """Serves a folder; what goes wrong at the start is written there."""
    folder = Path(sys.argv[1])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with _locked(folder / _LIVES, fcntl.LOCK_SH):
            asyncio.run(_serve(folder, contained="--contained" in sys.argv))
    except Exception as error:
        if not (folder / _STARTED).exists():
            _write_whole(folder / _FAILED, f"{type(error).__name__}: {error}")
        raise


if __name__ == "__main__":
    main()
