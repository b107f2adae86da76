"""The main job with Kafka by TLS and SASL alone, PostgreSQL by TLS alone, and rights for each service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
import pytest_asyncio
from confluent_kafka import KafkaError, Message, Producer

from chassis.bus.brokers import Mechanism, Protocol, client_settings
from chassis.contract.events import catalogue
from clients.cli.status import look
from deploy.local.services import SERVICES
from deploy.local.stack import Backends
from tests.support.bus import eventually
from tests.support.cli import Cli
from tests.support.databases import PASSWORD
from tests.support.main_job import DoneJob, main_job_done
from tests.support.secure.backends import secure_backends

PREFIX = f"tls{uuid4().hex[:6]}."


@dataclass(frozen=True)
class SecureJob:
    """The done job, and where everything of it lies."""

    done: DoneJob
    backends: Backends
    folder: Path


@pytest_asyncio.fixture(scope="module")
async def job(backend_data: Path) -> AsyncIterator[SecureJob]:
    folder = backend_data / "secure"
    async with (
        secure_backends(folder / "backends", PREFIX) as backends,
        main_job_done(backends, folder / "platform", PREFIX) as done,
    ):
        yield SecureJob(done, backends, folder)


async def test_every_check_of_the_main_job_holds(job: SecureJob) -> None:
    checks = job.done.outcome.checks

    assert checks
    assert [check for check in checks if not check.ok] == []


async def test_every_connection_to_the_databases_is_encrypted(job: SecureJob) -> None:
    connection = await asyncpg.connect(job.backends.postgres_url)
    rows = await connection.fetch("SELECT usename, ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)")
    await connection.close()
    by_service = {row["usename"] for row in rows if row["usename"] and row["usename"].endswith("_app")}

    assert by_service == {f"{service}_app" for service in SERVICES}
    assert all(row["ssl"] for row in rows if row["usename"])


async def test_each_service_signs_in_to_kafka_as_itself(job: SecureJob) -> None:
    for service, settings in job.done.platform.settings.items():
        assert settings["PRECEPTOR_KAFKA_SECURITY_PROTOCOL"] == Protocol.SASL_SSL
        assert settings["PRECEPTOR_KAFKA_SASL_MECHANISM"] == Mechanism.SCRAM_SHA_512
        assert settings["PRECEPTOR_KAFKA_SASL_USERNAME"] == service


@pytest.mark.parametrize("service", SERVICES)
async def test_no_service_can_write_what_another_tells(job: SecureJob, service: str) -> None:
    foreign = sorted({type_.topic for type_ in catalogue().values() if type_.owner != service})
    faults = await asyncio.to_thread(produced, job, service, foreign)

    assert faults == [KafkaError.TOPIC_AUTHORIZATION_FAILED] * len(foreign)


def produced(job: SecureJob, service: str, topics: list[str]) -> list[int | None]:
    """How the broker takes a record to each topic from a service: the code of its refusal, or nothing."""
    found: list[int | None] = []

    def told(error: KafkaError | None, _: Message) -> None:
        found.append(error.code() if error else None)

    producer = Producer(client_settings(job.backends.service_brokers[service]))
    for topic in topics:
        producer.produce(
            PREFIX + topic, b"forged", on_delivery=lambda error, _: found.append(error.code() if error else None)
        )
    assert producer.flush(60) == 0
    return found


async def test_status_says_that_all_have_caught_up_and_asks_kafka_as_the_stack_does(
    job: SecureJob, tmp_path: Path
) -> None:
    async def caught_up() -> bool:
        found = await look(job.done.platform.describe())
        return [service.lag for service in found if service.ready] == [0] * len(SERVICES)

    await eventually(caught_up, 60)
    ended = await Cli.of(job.done.platform, tmp_path).run("status", "--json")

    assert ended.code == 0
    assert [service["lag"] for service in ended.json["services"]] == [0] * len(SERVICES)


async def test_each_service_has_all_the_rights_that_it_asks_for(job: SecureJob) -> None:
    texts = [running.process.output() for running in job.done.platform.services.values()]

    assert len(texts) == len(SERVICES)
    assert [line for text in texts for line in text.splitlines() if "AUTHORIZATION" in line.upper()] == []


async def test_no_log_and_no_description_holds_a_password_or_a_database_s_address(job: SecureJob) -> None:
    secrets = {PASSWORD, job.done.platform.admin_password, "postgresql://", *passwords(job.folder)}
    texts = {path: path.read_text(errors="replace") for path in written(job.folder)}

    assert len(texts) > 10
    assert [(path.name, len(word)) for path, text in texts.items() for word in secrets if word in text] == []


def passwords(folder: Path) -> Iterator[str]:
    """Of the databases' administrator and of every user of Kafka."""
    yield (folder / "backends/postgres/administrator-password").read_text()
    yield from (file.read_text() for file in (folder / "backends/kafka/users").iterdir())


def written(folder: Path) -> Iterator[Path]:
    """All logs, and what tools are told of the stack."""
    yield from folder.rglob("*.log")
    yield folder / "platform/stack.json"
