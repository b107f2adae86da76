"""Backends for the tests that need them: real PostgreSQL and Apache Kafka, started once, shared by prefix and copy."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import hypothesis
import pytest
import pytest_asyncio
import structlog
from hypothesis import HealthCheck
from xdist.remote import Producer
from xdist.workermanage import WorkerController

from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue
from chassis.db import Database
from deploy.local.stack import Backends
from tests.support import run_folder
from tests.support.bus import Bus
from tests.support.containers import why_not
from tests.support.databases import Databases
from tests.support.main_job import DoneJob, main_job_done
from tests.support.scheduling import ByPlatform, longest_first
from tests.support.shared import shared_backends

_FOLDER = pytest.StashKey[Path]()
_TOLD = "preceptor_folder"

# How long an example takes says nothing on a machine that does other things besides.
hypothesis.settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis.settings.load_profile("any machine")

structlog.configure(
    processors=[structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()],
    wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
)


def on_containers() -> tuple[bool, str]:
    """Whether the backends run in containers, and why; the environment's `BACKENDS` decides if it is set.

    Fails the run when containers are asked for and cannot be had, rather than run on something else.
    """
    asked = os.environ.get("BACKENDS", "")
    if named := [name for name in ("DATABASE_URL", "KAFKA_BOOTSTRAP_SERVERS") if os.environ.get(name)]:
        return False, f"{' and '.join(named)} set"
    if asked not in ("", "embedded", "containers"):
        raise pytest.UsageError(f"BACKENDS={asked}: it is `embedded`, `containers`, or not set")
    missing = "BACKENDS=embedded" if asked == "embedded" else why_not()
    if asked == "containers" and missing:
        raise pytest.UsageError(f"BACKENDS=containers, but {missing}")
    return not missing, missing or "a Docker engine answers and has the images"


def pytest_report_header() -> str:
    """Says at the start what the tests run on."""
    contained, reason = on_containers()
    return f"backends: {'containers' if contained else 'embedded PostgreSQL, Apache Kafka as a process'} ({reason})"


def pytest_configure(config: pytest.Config) -> None:
    """The process that the run began with makes its folder; those that it shares the tests out to are told of it."""
    told: dict[str, str] = getattr(config, "workerinput", {})
    config.stash[_FOLDER] = Path(told[_TOLD]) if _TOLD in told else run_folder.make()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Tells a process that is about to start where this run keeps its things."""
    node.workerinput[_TOLD] = str(node.config.stash[_FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    """Who made the folder drops it, once the servers in it have ended."""
    if _FOLDER in config.stash and not hasattr(config, "workerinput"):
        run_folder.drop(config.stash[_FOLDER])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByPlatform:
    """Shares the tests out by file and platform, in the order of their collection."""
    config.option.loadscopereorder = False
    return ByPlatform(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests out, long groups come first."""
    if hasattr(config, "workerinput"):
        items[:] = longest_first(items)


@pytest.fixture(scope="session", autouse=True)
def _terminal() -> Iterator[None]:
    """The same terminal wherever the tests run: commands that they start, or call, take it from the environment."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("FORCE_COLOR", "CLICOLOR_FORCE", "PY_COLORS", "LINES"):
            patch.delenv(name, raising=False)
        for name, value in {"COLUMNS": "80", "TERM": "xterm", "NO_COLOR": "1"}.items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config) -> Path:
    """The folder of this run, the same in all its processes."""
    return pytestconfig.stash[_FOLDER]


@pytest.fixture(scope="session")
def backend_data(shared_folder: Path) -> Iterator[Path]:
    """A folder for the data of this process of the run alone."""
    with tempfile.TemporaryDirectory(dir=shared_folder, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest_asyncio.fixture(scope="session")
async def backends(shared_folder: Path) -> AsyncIterator[Backends]:
    """PostgreSQL and Apache Kafka, those of the whole run; it fails without either."""
    async with shared_backends(shared_folder, contained=on_containers()[0]) as started:
        yield started


@pytest.fixture(scope="session")
def databases(backends: Backends, shared_folder: Path) -> Databases:
    """Where tests get fresh databases."""
    return Databases(backends.postgres_url, shared_folder.name)


@pytest_asyncio.fixture
async def tasking_url(databases: Databases) -> AsyncIterator[str]:
    """A fresh database of tasking, which writes events."""
    async with databases.fresh("tasking") as url:
        yield url


@pytest_asyncio.fixture
async def tasking_database(tasking_url: str) -> AsyncIterator[Database]:
    """An open pool on tasking's database."""
    database = await Database.connect(tasking_url, events=EventWriter("tasking", catalogue()))
    yield database
    await database.close()


@pytest_asyncio.fixture
async def payouts_url(databases: Databases) -> AsyncIterator[str]:
    """A fresh database of payouts, which reacts to events."""
    async with databases.fresh("payouts") as url:
        yield url


@pytest_asyncio.fixture
async def payouts_database(payouts_url: str) -> AsyncIterator[Database]:
    """An open pool on payouts' database."""
    database = await Database.connect(payouts_url, events=EventWriter("payouts", catalogue()))
    yield database
    await database.close()


@pytest_asyncio.fixture
async def bus(backends: Backends) -> AsyncIterator[Bus]:
    """A part of the shared Kafka for one test, with tasking's topics in it."""
    own = Bus(backends.brokers, f"t{uuid4().hex[:10]}.")
    await own.create("tasking")
    yield own
    await own.drop()


@pytest_asyncio.fixture(scope="session")
async def done_job(backends: Backends, backend_data: Path) -> AsyncIterator[DoneJob]:
    """A platform of real processes on which the main job was done."""
    async with main_job_done(backends, backend_data / "platform", f"job{uuid4().hex[:8]}.") as done:
        yield done
