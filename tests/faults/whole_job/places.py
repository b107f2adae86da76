"""Where a kill landed, told from outside: what the databases, the bus, the provider and the clients say about it.

What is known only later, such as whether an event of a killed relay had reached Kafka, is looked up after the run.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Set
from dataclasses import dataclass, field

import asyncpg
from confluent_kafka import Consumer, KafkaException, TopicPartition

from chassis.bus.brokers import Brokers, client_settings
from deploy.local.platform import Platform
from tests.faults.whole_job.backends import administrator
from tests.faults.whole_job.echo import Echo
from tests.faults.whole_job.poison import topics_of

_SECONDS = 2.0
AWAY = "while PostgreSQL was away"
NOTHING = "with nothing in hand"


@dataclass
class Scene:
    """What was seen right after a fault."""

    service: str
    at: float
    """Seconds since 1970."""
    open_calls: dict[str, str]
    """Request id -> method."""
    done_calls: set[str] = field(default_factory=set)
    """Those of them whose transaction had been committed."""
    outbox: set[str] = field(default_factory=set)
    inbox: set[str] = field(default_factory=set)
    offsets: dict[tuple[str, int], int] = field(default_factory=dict)
    attempts: dict[str, str] = field(default_factory=dict)
    """The provider's reference -> state of an attempt that is being sent or not yet."""
    unreadable: bool = False


async def look(platform: Platform, name: str, open_calls: Mapping[str, str], answered: Set[str]) -> Scene:
    """Looks at what a process left, before it is started anew.

    `open_calls` were on their way when it was hit; of them, those `answered` by now had their reply already.
    """
    service = name.removesuffix("-events")
    scene = Scene(service, time.time(), {**open_calls} if name == "tasking" else {})
    try:
        async with asyncio.timeout(_SECONDS):
            await _read(platform, name, scene)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        scene.unreadable = True
    scene.open_calls = {id_: method for id_, method in scene.open_calls.items() if id_ not in answered}
    return scene


async def _read(platform: Platform, name: str, scene: Scene) -> None:
    async with administrator(platform, scene.service) as connection:
        if name != scene.service:
            await _read_events(platform, connection, scene)
        elif scene.open_calls:
            sql = "SELECT request_id FROM idempotency WHERE request_id::text = ANY($1)"
            done = await connection.fetch(sql, list(scene.open_calls))
            scene.done_calls = {str(row["request_id"]) for row in done}


async def _read_events(platform: Platform, connection: asyncpg.Connection[asyncpg.Record], scene: Scene) -> None:
    scene.outbox = {str(row["event_id"]) for row in await connection.fetch("SELECT event_id FROM outbox")}
    recent = "SELECT event_id FROM inbox WHERE received_at > now() - interval '10 seconds'"
    scene.inbox = {str(row["event_id"]) for row in await connection.fetch(recent)}
    told = platform.settings[scene.service]
    where = platform.backends.brokers, told["PRECEPTOR_KAFKA_TOPIC_PREFIX"], scene.service
    scene.offsets = await asyncio.to_thread(_offsets, *where, int(told["PRECEPTOR_KAFKA_PARTITIONS"]))
    if scene.service == "payouts":
        sql = "SELECT reference, state FROM attempt WHERE state IN ('CREATED', 'SUBMITTING', 'UNKNOWN')"
        scene.attempts = {row["reference"]: row["state"] for row in await connection.fetch(sql)}


def _offsets(brokers: Brokers, prefix: str, group: str, partitions: int) -> dict[tuple[str, int], int]:
    """What the group has committed; nothing where Kafka does not tell.

    Not by the admin client: librdkafka aborts the process when a request of that kind ends while its broker is away.
    """
    client = Consumer({**client_settings(brokers), "group.id": prefix + group, "enable.auto.commit": False})
    asked = [TopicPartition(prefix + topic, number) for topic in topics_of(group) for number in range(partitions)]
    try:
        taken = client.committed(asked, timeout=_SECONDS)
    except KafkaException:
        return {}
    finally:
        client.close()
    return {(p.topic[len(prefix) :], p.partition): p.offset for p in taken if p.offset >= 0}


def places(scene: Scene, echo: Echo, provider: Mapping[str, float]) -> list[str]:
    """Where it landed; `provider` is when the provider moved each reference."""
    found = [*_calls(scene), *_relay(scene, echo), *_consumer(scene, echo), *_attempts(scene, provider)]
    return sorted(set(found)) or [AWAY if scene.unreadable else NOTHING]


def _calls(scene: Scene) -> list[str]:
    return [
        f"during {method}, " + ("committed and not replied" if request_id in scene.done_calls else "not committed")
        for request_id, method in scene.open_calls.items()
    ]


def _relay(scene: Scene, echo: Echo) -> list[str]:
    sent = {seen.event_id for seen in echo.originals if seen.at <= scene.at}
    if scene.outbox & sent:
        return ["relay between flush and delete"]
    return ["relay with rows before it"] if scene.outbox else []


def _consumer(scene: Scene, echo: Echo) -> list[str]:
    mine = topics_of(scene.service)
    for seen in echo.originals:
        ours = scene.offsets and seen.topic in mine and seen.event_id in scene.inbox
        if ours and seen.offset >= scene.offsets.get((seen.topic, seen.partition), 0):
            return ["consumer between its commit and the offset's"]
    return []


def _attempts(scene: Scene, provider: Mapping[str, float]) -> list[str]:
    found = []
    for reference, state in scene.attempts.items():
        moved = provider.get(reference, scene.at + 1) <= scene.at
        if state == "CREATED":
            found.append("payout between the attempt's commit and its sending")
        elif state == "SUBMITTING":
            found.append(f"payout being sent, {'moved and not recorded' if moved else 'not moved'}")
        elif moved:
            found.append("payout moved and unknown to us")
    return found
