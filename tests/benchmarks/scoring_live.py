"""Scoring's live engine through the event handler and its database: the most it takes, and how long one event waits."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Sequence

from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1 import work_pb2 as work

from chassis.bus.handler import Handler
from chassis.bus.intake import Record
from chassis.contract.events import catalogue
from chassis.db import Database
from chassis.ids import new_id
from chassis.process import collect_rarely
from services.scoring.service import SERVICE
from tests.benchmarks.events import writer
from tests.benchmarks.measure import Figure, percentile
from tests.benchmarks.progress import Step
from tests.benchmarks.rig import Rig
from tests.support.tasking import answer

_BATCH = 500
_OVERLAP = 5
_EXPERTS = 200
_A_SECOND = 500
_EVENTS_A_SECOND = 5_000


async def run(rig: Rig, step: Step) -> Sequence[Figure]:
    """Answers a second in batches of 500, and the time of an event at 500 a second, from its record to its commit."""
    async with rig.database("scoring", SERVICE.migrations) as (_, database):
        handler = _handler(database)
        collect_rarely()  # as its process does
        rates = []
        for _ in step.through(range(rig.rounds), "in batches of 500"):
            rates.append(await _rate(handler, _records(int(rig.seconds * _EVENTS_A_SECOND))))
        waits = await _waits(handler, _records(int(rig.seconds * rig.rounds * _A_SECOND)))
    return [
        Figure("answers scored in batches of 500", max(rates), "/s", at_least=5_000, samples=rates),
        Figure("scored at 500/s: p50", percentile(waits, 50) * 1000, "ms"),
        Figure("scored at 500/s: p99", percentile(waits, 99) * 1000, "ms", at_most=10),
    ]


def _handler(database: Database) -> Handler[None]:
    reactions = {AnswerSubmitted: SERVICE.reactions[AnswerSubmitted]}
    return Handler("scoring", database, reactions, None, catalogue())  # type: ignore[arg-type]  # it needs no context


async def _rate(handler: Handler[None], records: Sequence[Record]) -> float:
    begun = time.perf_counter()
    for at in range(0, len(records), _BATCH):
        await _handle(handler, records[at : at + _BATCH])
    return len(records) / (time.perf_counter() - begun)


async def _waits(handler: Handler[None], records: Sequence[Record]) -> list[float]:
    """How long each record waits that comes when it is due: a batch is what has come while the last was handled."""
    waits: list[float] = []
    begun, done = time.perf_counter(), 0
    while done < len(records):
        come = min(int((time.perf_counter() - begun) * _A_SECOND), len(records))
        if come == done:
            await asyncio.sleep(0.0002)
            continue
        await _handle(handler, records[done:come])
        now = time.perf_counter() - begun
        waits += [now - place / _A_SECOND for place in range(done + 1, come + 1)]
        done = come
    return waits


async def _handle(handler: Handler[None], records: Sequence[Record]) -> None:
    handled = await handler.handle(records)
    if handled.error:
        raise handled.error


def _records(number: int) -> list[Record]:
    """Answers as they are on the bus: five a task by two hundred experts, tasks side by side."""
    chance = random.Random(number)
    project, batch, vendor = (str(new_id()) for _ in range(3))
    experts = [str(new_id()) for _ in range(_EXPERTS)]
    tasks = [(str(new_id()), chance.sample(experts, _OVERLAP), chance.choice((-2, 2))) for _ in range(number // 5 + 1)]
    events = []
    for at in range(0, len(tasks), _BATCH):
        for turn in range(_OVERLAP):
            for task, people, right in tasks[at : at + _BATCH]:
                says = right if chance.random() < 0.8 else -right
                events.append(_event(task, project, batch, vendor, people[turn], says))
    rows = [writer("tasking").row(event) for event in events[:number]]
    return [
        Record(
            row.topic,
            0,
            place,
            row.key.encode(),
            row.payload,
            [(k, v.encode()) for k, v in json.loads(row.headers).items()],
        )
        for place, row in enumerate(rows)
    ]


def _event(task: str, project: str, batch: str, vendor: str, expert: str, says: int) -> AnswerSubmitted:
    event = AnswerSubmitted(
        answer_id=str(new_id()),
        slot_id=str(new_id()),
        task_id=task,
        batch_id=batch,
        project_id=project,
        vendor_id=vendor,
        expert_id=expert,
        answer=answer(says, "The first says where to look and why; the second would mislead whoever acts on it."),
        task_type=work.TASK_TYPE_PAIRWISE_PREFERENCE,
        domain=work.DOMAIN_TECHNOLOGY,
        redundancy=work.Redundancy(
            min_answers=3, max_answers=5, stop_confidence=0.95, least_worth=0.0002, agreed_confidence=0.8
        ),
        terms=work.Terms(rate_card_version=1, tier="P1", amount_minor=150, currency="USD", fee_basis_points=2000),
        time_spent=work.TimeSpent(active_seconds=80, idle_seconds=5),
    )
    event.submit_time.GetCurrentTime()
    return event
