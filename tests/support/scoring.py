"""Builders for tests of scoring: tasks, answers to them, and what became of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

import asyncpg
import numpy as np
from preceptor.scoring.v1.events_pb2 import TaskScored
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.pairwise_preference_pb2 import PairwisePreferenceAnswer, PairwisePreferencePayload
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, DOMAIN_COMMUNICATION, Answer, Payload, Redundancy

from chassis.bus.envelope import Event, source_of
from chassis.bus.outbox import EventWriter
from chassis.contract.answers import questions_of
from chassis.contract.events import catalogue
from chassis.contract.work import task_type_of
from chassis.db import Database, Scope, Transaction
from chassis.ids import new_id
from chassis.rpc.paging import Pager
from chassis.settings import load
from chassis.timers import Timer, tick_once
from services.scoring.context import Context
from services.scoring.reactions import on_answer_submitted
from services.scoring.service import SERVICE
from services.scoring.settings import ScoringSettings
from services.scoring.usecases import fit_projects
from services.scoring.usecases.tasks import WEIGHT
from tests.support.databases import Databases

CONTEXT = Context(load(ScoringSettings), Pager(bytes(32)))
_START = datetime(2026, 1, 1, tzinfo=UTC)
_seconds = count()


@dataclass(frozen=True)
class Task:
    """A task of a batch of its own, as tasking tells of it."""

    task_id: UUID = field(default_factory=new_id)
    vendor_id: UUID = field(default_factory=new_id)
    batch_id: UUID = field(default_factory=new_id)
    project_id: UUID = field(default_factory=new_id)
    least: int = 2
    greatest: int = 5
    stop_confidence: float = 0.85
    payload: Payload = field(default_factory=lambda: Payload(pairwise_preference=PairwisePreferencePayload()))

    def answer(self, preference: int, *, expert: UUID | None = None, surplus: bool = False) -> AnswerSubmitted:
        """A preference, as `submitted`."""
        answer = Answer(pairwise_preference=PairwisePreferenceAnswer(preference=preference))
        return self.submitted(answer, expert=expert, surplus=surplus)

    def gold(self, answer: Answer, key: Answer, *, expert: UUID | None = None) -> AnswerSubmitted:
        """An answer to a gold task with this key."""
        submitted = self.submitted(answer, expert=expert)
        submitted.kind = ANSWER_KIND_GOLD
        submitted.gold_key.CopyFrom(key)
        return submitted

    def submitted(self, answer: Answer, *, expert: UUID | None = None, surplus: bool = False) -> AnswerSubmitted:
        """An answer, a second later than the one made before it; by a new expert unless one is given."""
        submitted = AnswerSubmitted(
            answer_id=str(new_id()),
            slot_id=str(new_id()),
            task_id=str(self.task_id),
            batch_id=str(self.batch_id),
            project_id=str(self.project_id),
            vendor_id=str(self.vendor_id),
            expert_id=str(expert or new_id()),
            answer=answer,
            task_type=task_type_of(self.payload),
            domain=DOMAIN_COMMUNICATION,
            redundancy=Redundancy(
                min_answers=self.least, max_answers=self.greatest, stop_confidence=self.stop_confidence
            ),
            surplus=surplus,
            questions=questions_of(self.payload),
        )
        submitted.submit_time.FromDatetime(_START + timedelta(seconds=next(_seconds)))
        return submitted


@asynccontextmanager
async def open_database(databases: Databases) -> AsyncIterator[Database]:
    """A fresh database of scoring, as its application role."""
    async with databases.fresh(SERVICE.name, SERVICE.migrations) as url:
        database = await Database.connect(url, events=EventWriter(SERVICE.name, catalogue()))
        yield database
        await database.close()


async def react(database: Database, answers: Sequence[AnswerSubmitted]) -> None:
    """Lets scoring react to the answers as one batch of new events, in one transaction."""

    async def work(tx: Transaction) -> None:
        await react_in(tx, answers)

    await database.run(Scope.service(), work)


async def react_in(tx: Transaction, answers: Sequence[AnswerSubmitted]) -> None:
    """Like `react`, in a transaction of the test's own."""
    await on_answer_submitted.react(tx, [_event(answer) for answer in answers], CONTEXT)


async def fit(database: Database) -> int:
    """Lets the timer fit what is due; returns how many projects it were."""
    timer = Timer("fit-projects", timedelta(seconds=1), fit_projects.tick)
    fitted = 0
    while await tick_once(database, timer, CONTEXT):
        fitted += 1
    return fitted


async def rows(database: Database, sql: str, *args: object, scope: Scope | None = None) -> list[asyncpg.Record]:
    """What a query gives, in a transaction of its own."""
    async with database.transaction(scope or Scope.service()) as tx:
        return await tx.fetch(sql, *args)


async def weights(database: Database) -> dict[UUID, list[float]]:
    """The weights of each task's standing votes, in nats, by question and answer."""
    kept = await rows(database, "SELECT task_id, weights FROM task_state")
    return {row["task_id"]: np.frombuffer(row["weights"], WEIGHT).tolist() for row in kept}


async def scored_events(database: Database) -> list[TaskScored]:
    """All that scoring has emitted, in its order."""
    emitted = await rows(database, "SELECT payload FROM outbox ORDER BY id")
    return [TaskScored.FromString(row["payload"]) for row in emitted]


def _event(answer: AnswerSubmitted) -> Event[AnswerSubmitted]:
    time = answer.submit_time.ToDatetime(tzinfo=UTC)
    return Event(new_id(), answer, answer.task_id, time, source_of("tasking"), "")
