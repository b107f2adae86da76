"""The embedded Kafka: a real broker whose records outlive kill -9, on either Java; and its in-memory stand-in."""

import asyncio
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from chassis.bus.brokers import Brokers, client_settings
from deploy.local.java import find_java, java_version, wheel_java
from deploy.local.kafka import start_kafka
from deploy.local.mock_broker import start_mock_broker
from deploy.local.processes import Supervisor


async def test_records_and_group_offsets_outlive_a_kill_of_the_broker_and_a_change_of_java(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        first = await start_kafka(supervisor, tmp_path / "kafka")
        await asyncio.to_thread(_make_topic, first.brokers)
        await asyncio.to_thread(_produce, first.brokers, "before")
        assert await asyncio.to_thread(_consume, first.brokers, 1) == ["before"]
        await first.process.kill()
        second = await start_kafka(supervisor, tmp_path / "kafka", java=wheel_java())
        await asyncio.to_thread(_produce, second.brokers, "after")
        assert await asyncio.to_thread(_consume, second.brokers, 1) == ["after"]


async def test_the_in_memory_broker_serves_the_topics_it_was_given(tmp_path: Path) -> None:
    async with Supervisor(tmp_path / "logs") as supervisor:
        brokers = await start_mock_broker(supervisor, {"answers": 3, "one": 1})
        topics = await asyncio.to_thread(lambda: AdminClient(client_settings(brokers)).list_topics(timeout=60))
        assert {name: len(topic.partitions) for name, topic in topics.topics.items()} == {"answers": 3, "one": 1}
        await asyncio.to_thread(_produce, brokers, "kept in memory")
        assert await asyncio.to_thread(_consume, brokers, 1) == ["kept in memory"]


async def test_the_wheel_has_a_java_that_is_new_enough() -> None:
    wheel = wheel_java()
    assert wheel is not None
    assert (await java_version(wheel) or 0) >= 17


async def test_a_java_that_is_none_is_passed_over(tmp_path: Path) -> None:
    assert await java_version(tmp_path / "java") is None
    assert (await find_java()).version >= 17


def _make_topic(brokers: Brokers) -> None:
    admin = AdminClient(client_settings(brokers))
    for made in admin.create_topics([NewTopic("answers", 3, 1)]).values():
        made.result(10)


def _produce(brokers: Brokers, value: str) -> None:
    producer = Producer({**client_settings(brokers), "enable.idempotence": True})
    producer.produce("answers", value.encode())
    assert producer.flush(20) == 0


def _consume(brokers: Brokers, wanted: int) -> list[str]:
    """Read as a member of a KIP-848 group, and commit."""
    group: dict[str, Any] = {"group.id": "readers", "group.protocol": "consumer", "auto.offset.reset": "earliest"}
    consumer = Consumer({**client_settings(brokers), "enable.auto.commit": False, **group})
    consumer.subscribe(["answers"])
    try:
        values = [(message.value() or b"").decode() for message in consumer.consume(wanted, timeout=120)]
        consumer.commit(asynchronous=False)
    finally:
        consumer.close()
    return values
