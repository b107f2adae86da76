"""A process of a service from its start to its stop: parts in order, readiness told, nothing in hand lost."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from enum import Enum
from typing import TypeVar

import grpc
import structlog
from preceptor.identity.v1.events_pb2 import Revoked

from chassis import housekeeping, last_words, log
from chassis.bus.broadcast import Broadcast
from chassis.bus.consumer import Consumer, consumer_settings
from chassis.bus.handler import Handler
from chassis.bus.outbox import EventWriter
from chassis.bus.publisher import BusUnavailable, KafkaPublisher, producer_settings
from chassis.bus.relay import Relay
from chassis.contract.events import catalogue
from chassis.db import Database
from chassis.migrate import schema_is_current
from chassis.ops.api import operations
from chassis.ops.jobs import jobs
from chassis.rpc import server as calls
from chassis.rpc.paging import Pager
from chassis.rpc.pipeline import Server
from chassis.rpc.revocations import Revocations
from chassis.rpc.tokens import TokenVerifier
from chassis.service import Service
from chassis.settings import ChassisSettings, load
from chassis.telemetry import process as telemetry
from chassis.telemetry.loop_lag import watch_loop
from chassis.telemetry.readings import OF_EVERY_SERVICE, Reading, keep_reading, of_waits
from chassis.timers import run_timer, run_timers
from chassis.waiting import Backoff, pause

_log = structlog.get_logger(__name__)
_LOOK_SECONDS = 1.0
_FIRST_LOOK_SECONDS = 0.05
_ANSWER_SECONDS = 5.0
# A batch of events makes tens of thousands of objects that are gone with it: to look for cycles among them each seven
# hundred costs a sixth of the processor.
_COLLECT = (50_000, 20, 20)
# Seconds; identity issues no token for longer.
_LONGEST_TOKEN_LIFE = 600.0

C = TypeVar("C")


class Role(Enum):
    """What a process of a service does."""

    GRPC = "grpc"
    EVENTS = "events"
    ALL = "all"


def collect_rarely() -> None:
    """Has garbage collected as a process wants it that is set up and begins to serve."""
    gc.collect()
    gc.freeze()  # what lives as long as the process need not be looked through again
    gc.set_threshold(*_COLLECT)


async def run_role(service: Service[C], role: Role) -> None:
    """Runs until SIGTERM or SIGINT. Raises what ends one of its parts: whoever runs the process starts it anew."""
    last_words.watch_loop()
    settings = load(ChassisSettings)
    log.configure(service.name, role.value)
    stop = _stop_on_signals()
    async with AsyncExitStack() as stack:
        stack.enter_context(telemetry.spans_sent(service.name, role.value, settings))
        database = await _connect(service, settings)
        stack.push_async_callback(database.close)
        context = await stack.enter_async_context(service.context(settings, database))
        health = calls.Health(tuple(service.rpcs) if role is not Role.EVENTS else ())
        await health.start()
        exported = telemetry.told(service.name, role.value, settings.metrics_listen, database, lambda: health.ready)
        await stack.enter_async_context(exported)
        revocations = Revocations()
        server = _server(service, role, settings, health, database, context, revocations)
        await server.start()
        stack.push_async_callback(server.stop, None)
        collect_rarely()
        _log.info("started")
        async with asyncio.TaskGroup() as parts:
            served, conditions = asyncio.Event(), []
            parts.create_task(watch_loop(served))
            if role is not Role.EVENTS:
                conditions.append(known := asyncio.Event())
                parts.create_task(_know_revoked(settings, revocations, known, served))
            if role is not Role.GRPC:
                conditions.append(warm := asyncio.Event())
                parts.create_task(_run_events(service, settings, database, context, warm, served))
            parts.create_task(_tell_readiness(service, database, health, conditions, stop))
            await stop.wait()
            _log.info("stopping")
            # Calls end first, so that the relay still takes along what they left in the outbox.
            await calls.stop(server, health, settings)
            served.set()


def _stop_on_signals() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def _connect(service: Service[C], settings: ChassisSettings) -> Database:
    return await Database.connect(
        settings.database_url.get_secret_value(),
        events=EventWriter(service.name, catalogue()),
        max_size=settings.database_pool_size,
        statement_cache_size=settings.statement_cache_size,
        application_name=f"preceptor-{service.name}",
    )


def _server(
    service: Service[C],
    role: Role,
    settings: ChassisSettings,
    health: calls.Health,
    database: Database,
    context: C,
    revocations: Revocations,
) -> grpc.aio.Server:
    """The server of calls; for the role `events` one that answers probes only."""
    if role is Role.EVENTS:
        return calls.build_health_only(settings, health)
    verifier = TokenVerifier(settings.jwks_file, settings.token_issuer)
    pager = Pager(settings.page_token_key_file.read_bytes())
    rpcs = {**service.rpcs, **operations(service.name, pager, service.trace, service.waits)}
    return calls.build(service.name, rpcs, health, Server(database, context, verifier, settings, revocations))


async def _know_revoked(
    settings: ChassisSettings, revocations: Revocations, known: asyncio.Event, stop: asyncio.Event
) -> None:
    """Reads what is revoked until `stop` is set; sets `known` once that is everything.

    While the bus is away the life of tokens is the bound: what was revoked before our start has ended by then.
    """
    broadcast = Broadcast(settings.kafka, Revoked, revocations.take, topic_prefix=settings.kafka_topic_prefix)
    async with asyncio.TaskGroup() as parts:
        parts.create_task(broadcast.run(stop))
        await pause(_LONGEST_TOKEN_LIFE, broadcast.caught_up, stop)
        known.set()


async def _run_events(
    service: Service[C],
    settings: ChassisSettings,
    database: Database,
    context: C,
    warm: asyncio.Event,
    stop: asyncio.Event,
) -> None:
    """Relay, consumer and timers side by side, as soon as the schema is the code's, until `stop` is set."""
    while not stop.is_set() and await _unfit(service, database):
        await pause(_FIRST_LOOK_SECONDS, stop)
    types, prefix = catalogue(), settings.kafka_topic_prefix
    publisher = KafkaPublisher(producer_settings(settings.kafka), prefix)
    await _warm_up(publisher, sorted({type_.topic for type_ in types.values() if type_.owner == service.name}), stop)
    relay = Relay(database, publisher.publish)
    database.on_commit_with_events = relay.wake
    try:
        async with asyncio.TaskGroup() as parts:
            parts.create_task(relay.run(stop))
            parts.create_task(run_timers(database, service.timers, context, stop))
            parts.create_task(keep_reading(database, _readings(service), context, settings.readings_every, stop))
            parts.create_task(run_timer(database, housekeeping.TIMER, None, stop))
            if service.reactions:
                handler = Handler(service.name, database, service.reactions, context, types)
                group = consumer_settings(settings.kafka, prefix + service.name)
                consumer = Consumer(handler, group, topic_prefix=prefix)
                parts.create_task(consumer.run(stop))
                parts.create_task(run_timers(database, jobs(handler, consumer, database), context, stop))
            warm.set()
    finally:
        await publisher.close()


def _readings(service: Service[C]) -> list[Reading[C]]:
    """What the database is asked for the metrics."""
    waits = [of_waits(service.waits)] if service.waits else []
    return [*OF_EVERY_SERVICE, *service.readings, *waits]


async def _warm_up(publisher: KafkaPublisher, topics: Sequence[str], stop: asyncio.Event) -> None:
    """Waits until Kafka answers, or until `stop` is set."""
    trouble = Backoff(0.1, 5.0)
    while not stop.is_set():
        try:
            await publisher.warm_up(topics)
            return
        except BusUnavailable:
            _log.warning("waiting for kafka", attempts=trouble.attempts + 1)
            await pause(trouble.next(), stop)


async def _tell_readiness(
    service: Service[C],
    database: Database,
    health: calls.Health,
    conditions: Sequence[asyncio.Event],
    stop: asyncio.Event,
) -> None:
    """Keeps readiness true: the parts have what they began with, the schema is the code's, the database answers.

    Once started, Kafka is no condition of serving calls: the outbox holds events while it is away.
    """
    while not stop.is_set():
        fault = await _unfit(service, database)
        ready = all(condition.is_set() for condition in conditions) and not fault
        # The process may have been told to stop while the database was asked: then it stays 'not ready'.
        if ready != health.ready and not stop.is_set():
            _log.info("ready" if ready else "not ready", fault=fault)
            await health.set_ready(ready)
        await pause(_LOOK_SECONDS if ready else _FIRST_LOOK_SECONDS, stop)


async def _unfit(service: Service[C], database: Database) -> str:
    """What is wrong with the database; nothing if it answers in time and has the schema that the code needs."""
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            return "" if await schema_is_current(database, service.migrations) else "schema is not current"
    except Exception as error:
        # Whatever is wrong with the database, it makes the process unready, never dead.
        return type(error).__name__
