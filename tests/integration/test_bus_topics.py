"""Topics made from the catalogue on a real Kafka, and on a broker that makes them by itself."""

from __future__ import annotations

import asyncio
from pathlib import Path
from uuid import uuid4

from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType

from chassis.bus.brokers import client_settings
from chassis.bus.topics import dead_letters, ensure, topics_of
from chassis.contract.events import catalogue
from deploy.local.mock_broker import start_mock_broker
from deploy.local.processes import Supervisor
from tests.support.bus import Bus

ALL = topics_of(catalogue().values())


def config(bus: Bus, topic: str) -> dict[str, str]:
    admin = AdminClient(client_settings(bus.brokers))
    (result,) = admin.describe_configs([ConfigResource(ResourceType.TOPIC, bus.prefix + topic)]).values()
    return {name: entry.value for name, entry in result.result().items()}


def partitions(bus: Bus, topic: str) -> int:
    admin = AdminClient(client_settings(bus.brokers))
    return len(admin.list_topics(bus.prefix + topic, 10).topics[bus.prefix + topic].partitions)


def test_every_topic_has_its_dead_letters() -> None:
    names = {topic.name for topic in ALL}
    assert names == {type_.topic for type_ in catalogue().values()} | {
        dead_letters(type_.topic) for type_ in catalogue().values()
    }


async def test_states_are_compacted_and_facts_are_kept_for_a_time(bus: Bus) -> None:
    await bus.create("identity", "tasking")
    state = await asyncio.to_thread(config, bus, "identity.vendor.v1")
    fact = await asyncio.to_thread(config, bus, "tasking.batch.v1")
    letter = await asyncio.to_thread(config, bus, "identity.vendor.v1.dlq")
    assert state["cleanup.policy"] == "compact"
    assert (fact["cleanup.policy"], letter["cleanup.policy"]) == ("delete", "delete")
    assert int(fact["retention.ms"]) == 14 * 24 * 3600 * 1000
    assert int(letter["max.message.bytes"]) > 1024 * 1024


async def test_what_exists_is_left_alone(bus: Bus) -> None:
    before = partitions(bus, "tasking.batch.v1")
    wanted = [topic for topic in ALL if topic.name == "tasking.batch.v1"]
    await asyncio.gather(
        *(ensure(bus.brokers, wanted, prefix=bus.prefix, partitions=before + 3) for _ in range(3)),
    )
    assert partitions(bus, "tasking.batch.v1") == before


async def test_several_at_once_make_each_topic_once(bus: Bus) -> None:
    prefix = f"t{uuid4().hex[:10]}."
    await asyncio.gather(*(ensure(bus.brokers, ALL[:3], prefix=prefix, partitions=2) for _ in range(3)))
    fresh = Bus(bus.brokers, prefix)
    assert [partitions(fresh, topic.name) for topic in ALL[:3]] == [2, 2, 2]
    await fresh.drop()


async def test_a_broker_without_admin_requests_makes_them_by_itself(tmp_path: Path) -> None:
    async with Supervisor(tmp_path) as supervisor:
        memory = Bus(await start_mock_broker(supervisor, {}), "t.")
        await ensure(memory.brokers, ALL[:2], prefix=memory.prefix)
        assert all(partitions(memory, topic.name) for topic in ALL[:2])
