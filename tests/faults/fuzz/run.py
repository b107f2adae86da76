"""A running platform that has done some work, and rounds of cases written into its topics."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import asyncpg
from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]  # so does its export
from google.protobuf.message import Message
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.bus.brokers import client_settings
from chassis.bus.intake import Record
from chassis.contract.events import catalogue
from clients.operations import Operations
from clients.session import Session
from deploy.local.main_job.job import POLICY, all_examples, run_main_job
from deploy.local.main_job.outcome import SILENT, Outcome
from deploy.local.main_job.people import thirty_people
from deploy.local.operator import EMAIL as OPERATOR_EMAIL
from deploy.local.platform import Platform, start_platform
from deploy.local.services import SERVICES
from deploy.local.stack import Backends
from tests.faults.fuzz.cases import HEARS, TOPICS, Case, cases
from tests.faults.fuzz.operators import settle
from tests.faults.fuzz.sound import Sound, seldom, sound
from tests.support.bus import Bus, eventually, record
from tests.support.databases import share_passwords
from tests.support.main_job import CHEAP_HASHES
from tests.support.raw_kafka import RawProducer, raw_producer

CONSUMERS = ("tasking", "scoring", "payouts")
CAST = [thirty_people(7)[number] for number in (10, 11, 17, 18, 19, 20)]
"""Six careful people who know healthcare."""
_HEALTHCARE = 2
_CAUGHT_UP_SECONDS = 300.0
_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # the client's stubs leave it out

_LETTERS = 'SELECT topic, partition, "offset", reason, error_class, type FROM dead_letter'
_WAITS = """
SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM parked_key WHERE releasing)
     + (SELECT count(*) FROM dead_letter WHERE state = 'REPLAYING')
"""

Place = tuple[str, int, int]
Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


@dataclass
class Fuzz:
    """What was written where, and what came of it."""

    platform: Platform
    operations: Operations
    databases: Mapping[str, Pool]
    real: Sequence[Record]
    seed: int
    written: dict[Place, Case] = field(default_factory=dict)
    sound: list[Sound] = field(default_factory=list)
    shown: int = 0
    """Letters that operators were shown."""
    memory: dict[str, list[int]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._admin = AdminClient(client_settings(self.platform.backends.brokers))

    @cached_property
    def real_events(self) -> Mapping[str, Message]:
        """A real event of each type, by the type's name."""
        types = catalogue()
        named = [(types[type_of(r)].message_class, r.value) for r in self.real]
        return {type_.DESCRIPTOR.name: type_.FromString(value or b"") for type_, value in named}

    @property
    def tasks(self) -> set[str]:
        """The tasks that were worked on, by their ids."""
        name = AnswerSubmitted.DESCRIPTOR.full_name
        return {(one.key or b"").decode() for one in self.real if type_of(one) == name}

    async def rounds(self, number: int, of: int) -> None:
        """Writes so many cases of the seed, some at a time, and waits after each round until all is done with.

        Then whatever became a letter is given up, so that keys are free for the next round. Raises `AssertionError`,
        which names seed and cases, when a process ends or stops.
        """
        made = cases(self.real, self.seed, number)
        while batch := list(islice(made, of)):
            start = time.monotonic()
            with raw_producer(self.platform.backends.brokers) as producer:
                numbered = {self._write(producer, case): case for case in self._among(batch)}
            self.written |= {
                self._place(producer, number): case for number, case in numbered.items() if number in producer.places
            }
            await self._caught_up()
            while shown := sum(await asyncio.gather(*(settle(self.operations, name) for name in CONSUMERS))):
                self.shown += shown
                # What had been set aside behind a letter may be one itself.
                await self._caught_up()
            self.seconds.append(round(time.monotonic() - start, 1))
            self._note_memory()

    def _among(self, batch: Sequence[Case]) -> Iterator[Case]:
        """The cases, with sound events before, between and after them."""
        between = max(1, len(batch) // 5)
        for place, case in enumerate(batch):
            if place % between == 0:
                yield from self._sound(answers=place == 0)
            yield case
        yield from self._sound(answers=True)

    def _sound(self, *, answers: bool) -> Iterator[Case]:
        for one in sound(self.real_events, answers=answers):
            self.sound.append(one)
            yield one.case

    def _write(self, producer: RawProducer, case: Case) -> int:
        topic = self.platform.topic_prefix + case.topic
        return producer.write(topic, case.value, case.key, case.headers, partition=0, time_ms=case.time_ms)

    def _place(self, producer: RawProducer, number: int) -> Place:
        topic, partition, offset = producer.places[number]
        return topic.removeprefix(self.platform.topic_prefix), partition, offset

    async def _caught_up(self) -> None:
        """Waits until nothing lies before any consumer, in any outbox or behind a key that is free, twice in a row."""

        async def quiet() -> bool:
            ended = {name for name, service in self.platform.services.items() if service.process.returncode is not None}
            assert not ended, f"{ended} ended: {self._before()}"
            if any([await database.fetchval(_WAITS) for database in self.databases.values()]):
                return False
            return not any(await asyncio.to_thread(self._lags))

        async def quiet_twice() -> bool:
            return await quiet() and await quiet()

        try:
            await eventually(quiet_twice, within=_CAUGHT_UP_SECONDS)
        except TimeoutError:
            raise AssertionError(f"Something stands still: {self._before()}") from None

    def _before(self) -> str:
        """The cases that lie first before the consumers, as well as can be known."""
        places = {place for place in self._lags() if place in self.written}
        return "; ".join([f"FIRST={self.seed}", *(str(self.written[place]) for place in sorted(places))])

    def _lags(self) -> set[Place]:
        """The first record before each consumer, in each topic that it has not read to the end."""
        prefix, found = self.platform.topic_prefix, set()
        for name in CONSUMERS:
            group = prefix + name
            heard = [TopicPartition(prefix + topic, 0) for topic, by in HEARS.items() if name in by]
            asked = [ConsumerGroupTopicPartitions(group, heard)]
            done = self._admin.list_consumer_group_offsets(asked)[group].result().topic_partitions
            ends = self._admin.list_offsets(dict.fromkeys(heard, _LATEST))
            last = {place.topic: end.result().offset for place, end in ends.items()}
            found |= {
                (place.topic.removeprefix(prefix), 0, max(0, place.offset))
                for place in done
                if max(0, place.offset) < last[place.topic]
            }
        return found

    def _note_memory(self) -> None:
        for name, service in self.platform.services.items():
            self.memory.setdefault(name, []).append(resident_mb(service.process.pid))

    async def letters(self) -> dict[str, Counter[Place]]:
        """How many letters each consumer has of each place."""
        return {
            name: Counter((row[0], row[1], row[2]) for row in await database.fetch(_LETTERS))
            for name, database in self.databases.items()
        }


def resident_mb(pid: int) -> int:
    """What a process holds in memory, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024


@asynccontextmanager
async def fuzzed(backends: Backends, home: Path, prefix: str, seed: int) -> AsyncIterator[Fuzz]:
    """Starts a platform, has it do six tasks of three types, and reads what it told of them."""
    share_passwords(home)
    kinds = ("pairwise_preference", "rubric_grade", "fact_check")
    known = [example for example in all_examples() if example.domain == _HEALTHCARE]
    examples = [e for kind in kinds for e in [e for e in known if e.payload.WhichOneof("type") == kind][:2]]
    policy = {**POLICY, "identity": CHEAP_HASHES}
    async with (
        start_platform(backends, home, policy, prefix=prefix, partitions=1) as platform,
        AsyncExitStack() as stack,
    ):
        await run_main_job(platform, 7, SILENT, Outcome(), CAST, examples)
        bus = Bus(backends.brokers, prefix)
        real = [record for topic in TOPICS for record in await bus.read(topic)]
        databases = {}
        for name in CONSUMERS:
            pool = asyncpg.create_pool(
                backends.postgres_url, database=platform.database_name(name), min_size=1, max_size=2
            )
            databases[name] = await stack.enter_async_context(pool)
        session = await stack.enter_async_context(Session({name: platform.address(name) for name in SERVICES}))
        await session.sign_in(OPERATOR_EMAIL, platform.operator_password_file.read_text())
        told = {type_of(one) for one in real}
        real += [record(event) for event in seldom() if event.DESCRIPTOR.full_name not in told]
        yield Fuzz(platform, Operations(session), databases, real, seed)


def type_of(event: Record) -> str:
    """The full name of an event's type."""
    return (dict(event.headers)["ce_type"] or b"").decode()
