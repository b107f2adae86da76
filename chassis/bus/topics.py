"""Topics made from the event catalogue: states on compacted topics, facts on topics with a retention."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from chassis.bus.brokers import Brokers, client_settings
from chassis.bus.client_log import kafka_log
from chassis.bus.publisher import LARGEST_DEAD_LETTER, BusUnavailable
from chassis.contract.events import EventType, Kind

_log = structlog.get_logger(__name__)

RETENTION = timedelta(days=14)
"""How long facts, and dead letters, stay in Kafka. Inbox rows must outlive it."""

_REQUEST_SECONDS = 10.0
_VISIBLE_SECONDS = 60.0
# A broker without admin requests, like librdkafka's in-memory one, times out or says that it cannot.
_NO_ADMIN = {KafkaError._TIMED_OUT, KafkaError._UNSUPPORTED_FEATURE, KafkaError.UNSUPPORTED_VERSION}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's name, without a prefix, and its settings."""

    name: str
    config: Mapping[str, str] = field(default_factory=dict)


def dead_letters(topic: str) -> str:
    """The topic of a topic's dead letters."""
    return f"{topic}.dlq"


def topics_of(types: Iterable[EventType]) -> list[Topic]:
    """The topics that events of these types travel on, each with its dead letters."""
    found = {type_.topic: type_ for type_ in types}
    keep = {"cleanup.policy": "delete", "retention.ms": str(int(RETENTION.total_seconds() * 1000))}
    # Tombstones stay long enough for a consumer that was down to see them.
    compact = {"cleanup.policy": "compact", "delete.retention.ms": keep["retention.ms"]}
    streams = [
        Topic(name, (compact | _dropped(type_.retention)) if type_.kind is Kind.STATE else keep)
        for name, type_ in sorted(found.items())
    ]
    letters = keep | {"max.message.bytes": str(LARGEST_DEAD_LETTER)}
    return streams + [Topic(dead_letters(topic.name), letters) for topic in streams]


def _dropped(retention: timedelta | None) -> dict[str, str]:
    """What makes a compacted topic drop old states; by segments, so these must close in time."""
    if retention is None:
        return {}
    kept = str(int(retention.total_seconds() * 1000))
    return {"cleanup.policy": "compact,delete", "retention.ms": kept, "segment.ms": kept}


async def ensure(
    brokers: Brokers, topics: Collection[Topic], *, prefix: str = "", partitions: int = 12, replication: int = 1
) -> None:
    """Makes the topics that are missing and waits until the cluster knows them.

    Existing ones are left alone: another number of partitions would break the order of keys. A broker without admin
    requests makes them by itself when asked about them. Raises `BusUnavailable`.
    """
    await asyncio.to_thread(_ensure, brokers, topics, prefix, partitions, replication)


def _ensure(brokers: Brokers, topics: Collection[Topic], prefix: str, partitions: int, replication: int) -> None:
    admin = AdminClient(client_settings(brokers), logger=kafka_log)
    wanted = {prefix + topic.name: topic for topic in topics}
    try:
        missing = wanted.keys() - _known(admin)
        if missing:
            new = [NewTopic(name, partitions, replication, config=dict(wanted[name].config)) for name in missing]
            _create(admin, new)
            _wait_until_known(admin, missing)
    except KafkaException as error:
        raise BusUnavailable from error
    finally:
        admin.poll(0)  # only then it tells what went wrong


def _create(admin: AdminClient, new: list[NewTopic]) -> None:
    made: dict[str, Future[None]] = admin.create_topics(new, operation_timeout=_REQUEST_SECONDS, request_timeout=3.0)
    for result in made.values():
        try:
            result.result()
        except KafkaException as error:
            code = error.args[0].code()
            if code in _NO_ADMIN:
                _log.info("no admin requests at this broker, topics make themselves")
                return
            if code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _wait_until_known(admin: AdminClient, names: Collection[str]) -> None:
    deadline = time.monotonic() + _VISIBLE_SECONDS
    missing = set(names)
    while missing and time.monotonic() < deadline:
        # Asking for one by name is also what makes it on a broker that makes topics by itself.
        missing = {name for name in missing if not admin.list_topics(name, _REQUEST_SECONDS).topics[name].partitions}
        time.sleep(0.02 if missing else 0)
    if missing:
        raise BusUnavailable(topics=", ".join(sorted(missing)))


def _known(admin: AdminClient) -> set[str]:
    return set(admin.list_topics(timeout=_REQUEST_SECONDS).topics)
