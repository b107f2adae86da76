"""Backends for the tests that need them: real PostgreSQL and Apache Kafka, started once, shared by prefix and copy."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
import structlog

from chassis.bus.outbox import EventWriter
from chassis.contract.events import catalogue
from chassis.db import Database
from deploy.local.stack import Backends, start_backends
from tests.support.bus import Bus
from tests.support.containers import container_backends, why_not
from tests.support.databases import Databases
from tests.support.main_job import DoneJob, main_job_done

REPOSITORY = Path(__file__).parents[1]

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


@pytest.fixture(scope="session")
def backend_data() -> Iterator[Path]:
    """A folder for the data of this run alone."""
    parent = REPOSITORY / ".local" / "tests"
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest_asyncio.fixture(scope="session")
async def backends(backend_data: Path) -> AsyncIterator[Backends]:
    """PostgreSQL and Apache Kafka; the run fails without either."""
    contained, _ = on_containers()
    if contained:
        async with container_backends(backend_data / "logs") as started:
            yield started
    else:
        async with start_backends(backend_data, fast=True, require_kafka=True) as started:
            yield started


@pytest_asyncio.fixture(scope="session")
async def databases(backends: Backends) -> AsyncIterator[Databases]:
    """Where tests get fresh databases."""
    made = Databases(backends.postgres_url)
    yield made
    await made.drop_templates()


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
    own = Bus(backends.kafka_bootstrap, f"t{uuid4().hex[:10]}.")
    await own.create("tasking")
    yield own
    await own.drop()


@pytest_asyncio.fixture(scope="session")
async def done_job(backends: Backends, backend_data: Path) -> AsyncIterator[DoneJob]:
    """A platform of real processes on which the main job was done."""
    async with main_job_done(backends, backend_data / "platform", f"job{uuid4().hex[:8]}.") as done:
        yield done
