"""The folder of one test run: made by the process that the run began with, dropped by it at the end."""

from __future__ import annotations

import fcntl
import shutil
from io import TextIOWrapper
from pathlib import Path
from uuid import uuid4

from deploy.local.paths import LOCAL
from tests.support.shared import wait_for_the_end

_RUNS = LOCAL / "tests"
_held: dict[Path, TextIOWrapper] = {}


def make() -> Path:
    """A new folder, held until it is dropped, named by lower-case letters and digits. Sweeps up after killed runs."""
    _RUNS.mkdir(parents=True, exist_ok=True)
    _sweep()
    folder = _RUNS / f"r{uuid4().hex[:8]}"
    folder.mkdir()
    folder.chmod(0o755)  # whatever the umask: PostgreSQL's account passes through when the run is root's
    # It has its name only once it is held: until then nobody takes the folder for one that is left over.
    held = (folder / "held.new").open("a")
    fcntl.flock(held, fcntl.LOCK_EX)
    (folder / "held.new").rename(folder / "held")
    _held[folder] = held
    return folder


def drop(folder: Path) -> None:
    """Waits for the servers that still stop, and removes the folder."""
    wait_for_the_end(folder)
    shutil.rmtree(folder, ignore_errors=True)
    _held.pop(folder).close()


def _sweep() -> None:
    """Removes the folders of runs that were killed, but for those whose servers are still stopping."""
    for held in _RUNS.glob("*/held"):
        with held.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if wait_for_the_end(held.parent, within=0.0):
                shutil.rmtree(held.parent, ignore_errors=True)
