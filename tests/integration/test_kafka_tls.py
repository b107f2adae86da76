"""Kafka by TLS and SASL: every kind of client gets in as a user, and nobody who cannot prove who they are."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from preceptor.identity.v1.events_pb2 import Revoked
from structlog.testing import capture_logs

from chassis.bus.broadcast import Broadcast
from chassis.bus.brokers import Brokers, Mechanism, Settings, client_settings
from chassis.bus.rights import Operation, Resource, Right
from deploy.local.processes import Supervisor
from tests.support.bus import Bus, eventually, record, running
from tests.support.reactions import revoked
from tests.support.secure.certificates import Authority
from tests.support.secure.kafka import ADMINISTRATOR, SecureKafka, start_secure_kafka

_ONE_TRY_SECONDS = 2.0
_WITHIN_SECONDS = 90.0


@dataclass(frozen=True)
class World:
    """A broker that speaks TLS alone, and an authority that has nothing to do with it."""

    kafka: SecureKafka
    stranger: Authority

    def administrator(self, **changes: object) -> Brokers:
        """How the administrator reaches it, but for some changes."""
        return self.kafka.brokers(ADMINISTRATOR).model_copy(update=changes)


@pytest_asyncio.fixture(scope="module")
async def world(backend_data: Path) -> AsyncIterator[World]:
    folder = backend_data / "kafka-tls"
    authority, stranger = Authority(folder / "ours"), Authority(folder / "a-strangers")
    async with Supervisor(folder / "logs") as supervisor:
        kafka = await start_secure_kafka(supervisor, folder / "data", authority, ("guest",), by_certificate=True)
        yield World(kafka, stranger)


@pytest.mark.parametrize("mechanism", Mechanism)
async def test_who_signs_in_makes_topics_writes_and_reads(world: World, mechanism: Mechanism) -> None:
    await makes_writes_and_reads(world.kafka.brokers(ADMINISTRATOR, mechanism))


async def test_who_shows_a_certificate_makes_topics_writes_and_reads(world: World) -> None:
    """The broker's superusers include one by certificate: itself, here played by another of the same name."""
    await makes_writes_and_reads(world.kafka.brokers_by_certificate(world.kafka.authority.issue("broker")))


async def makes_writes_and_reads(brokers: Brokers) -> None:
    """By every kind of client: admin, producer, the consumer of a broadcast, the tests' own."""
    bus, found = Bus(brokers, f"t{uuid4().hex[:10]}."), list[str]()
    await bus.create("identity")
    told = [revoked() for _ in range(5)]
    await bus.write(*map(record, told))
    broadcast = Broadcast(brokers, Revoked, lambda state: found.append(state.revoked_id), topic_prefix=bus.prefix)
    async with running(broadcast.run):
        await eventually(lambda: heard(found, 5), _WITHIN_SECONDS)
    assert {record.key for record in await bus.read("identity.revoked.v1")} == {one.revoked_id.encode() for one in told}
    await bus.drop()


async def heard(found: list[str], number: int) -> bool:
    return len(found) == number


async def test_a_broker_of_another_authority_is_not_trusted(world: World) -> None:
    brokers = world.administrator(ca_file=world.stranger.ca_file)

    assert "certificate verify failed" in await refusal(client_settings(brokers), "verify failed")


async def test_without_an_authority_of_ones_own_the_system_s_are_asked(world: World) -> None:
    assert await refusal(client_settings(world.administrator(ca_file=None)), "verify failed")


async def test_a_broker_of_another_name_is_not_trusted(world: World) -> None:
    """The certificate names an address; the broker's other name is right for everything but the proof."""
    settings = client_settings(world.administrator(bootstrap_servers=f"localhost:{world.kafka.server.port}"))

    assert await refusal(settings, "verify failed")
    careless = {**settings, "ssl.endpoint.identification.algorithm": "none"}
    assert await asyncio.to_thread(topics, careless, logging.getLogger("careless"), _WITHIN_SECONDS) is not None


async def test_a_wrong_password_is_refused_and_told(world: World, tmp_path: Path) -> None:
    wrong = tmp_path / "password"
    wrong.write_text("not the password")
    told = await refusal(client_settings(world.administrator(sasl_password_file=wrong)), "SASL authentication error")

    assert "not the password" not in told


async def test_who_speaks_in_the_clear_gets_no_answer(world: World) -> None:
    plain = Brokers(bootstrap_servers=world.administrator().bootstrap_servers)

    assert await refusal(client_settings(plain), "Disconnected")


@pytest.mark.parametrize("whose", ["nobody", "a stranger"])
async def test_a_certificate_that_the_broker_does_not_know_is_refused(world: World, whose: str) -> None:
    pair = world.stranger.issue("broker") if whose == "a stranger" else None

    assert await refusal(client_settings(world.kafka.brokers_by_certificate(pair)), "alert")


async def test_a_user_without_rights_sees_and_makes_nothing(world: World) -> None:
    bus, guest = Bus(world.administrator(), f"t{uuid4().hex[:10]}."), world.kafka.brokers("guest")
    await bus.create("identity")
    seen = await asyncio.to_thread(topics, client_settings(guest), logging.getLogger("guest"), _WITHIN_SECONDS)

    assert seen == set()


async def test_a_right_that_is_missing_is_told_and_not_waited_for_in_silence(world: World) -> None:
    bus = Bus(world.administrator(), f"t{uuid4().hex[:10]}.")
    await bus.create("identity")
    known = Right(Resource.TOPIC, bus.prefix + "identity.revoked.v1", Operation.DESCRIBE)
    await asyncio.to_thread(world.kafka.allow, "guest", [known])
    broadcast = Broadcast(world.kafka.brokers("guest"), Revoked, lambda _: None, topic_prefix=bus.prefix)

    async def told() -> bool:
        return any(line.get("code") == "TOPIC_AUTHORIZATION_FAILED" for line in lines)

    with capture_logs() as lines:
        async with running(broadcast.run):
            await eventually(told, _WITHIN_SECONDS)
            assert not broadcast.caught_up.is_set()


class Told(logging.Handler):
    """What a client says of itself."""

    def __init__(self) -> None:
        """Nothing yet."""
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keeps a line."""
        self.lines.append(record.getMessage())


async def refusal(settings: Settings, reason: str) -> str:
    """Tries until the client has said that it is refused for this reason, and learns nothing all the time."""
    log, told = logging.getLogger(f"client-{uuid4().hex[:8]}"), Told()
    log.addHandler(told)
    log.propagate = False
    log.setLevel(logging.DEBUG)
    async with asyncio.timeout(_WITHIN_SECONDS):
        while not any(reason in line for line in told.lines):
            assert await asyncio.to_thread(topics, settings, log, _ONE_TRY_SECONDS) is None
    return "\n".join(told.lines)


def topics(settings: Settings, log: logging.Logger, within: float) -> set[str] | None:
    """The topics that a client sees; nothing if it is not let in."""
    client = AdminClient(settings, logger=log)
    try:
        return set(client.list_topics(timeout=within).topics)
    except KafkaException:
        return None
    finally:
        client.poll(0)  # only then it tells what went wrong
