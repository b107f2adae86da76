"""Reads, makes and writes the states of tasks. Their projects are locked before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.work.v1.work_pb2 import Question, Questions

from chassis.db import Row, Transaction
from services.scoring.aggregation import aggregator_for
from services.scoring.aggregation.aggregator import Aggregator
from services.scoring.domain.stopping import Redundancy, Verdict

_LOAD = """
SELECT task_id, project_id, vendor_id, batch_id, task_type, domain, min_answers, max_answers, stop_confidence,
       questions, version, verdict, found, held, trace
FROM task_state WHERE task_id = ANY($1::uuid[]) ORDER BY task_id
"""

_LOAD_OF = """
SELECT task_id, project_id, vendor_id, batch_id, task_type, domain, min_answers, max_answers, stop_confidence,
       questions, version, verdict, found, held, trace
FROM task_state WHERE project_id = $1 ORDER BY task_id
"""

_MAKE = """
INSERT INTO task_state (task_id, project_id, vendor_id, batch_id, task_type, domain, min_answers, max_answers,
                        stop_confidence, questions, updated_at)
SELECT n.*, '-infinity'
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[], $6::smallint[], $7::smallint[],
            $8::smallint[], $9::double precision[], $10::bytea[]) AS n
"""

_WRITE = """
UPDATE task_state t
SET version = n.version, verdict = n.verdict, reason = n.reason, answers_seen = n.seen, answers_wanted = n.wanted,
    result = n.result, confidence = n.confidence, held = n.held, weights = n.weights, found = n.found,
    updated_at = n.updated_at, trace = n.trace
FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::smallint[], $5::integer[], $6::integer[], $7::bytea[],
            $8::double precision[], $9::bytea[], $10::bytea[], $11::bytea[], $12::timestamptz[], $13::text[])
     AS n (task_id, version, verdict, reason, seen, wanted, result, confidence, held, weights, found, updated_at, trace)
WHERE t.task_id = n.task_id
"""

_HOLD = """
UPDATE task_state t SET held = n.held FROM unnest($1::uuid[], $2::bytea[]) AS n (task_id, held)
WHERE t.task_id = n.task_id AND t.held <> n.held
"""

WEIGHT = np.dtype("<f4")
"""How the weights of votes are kept, in nats, by question and answer."""
_LABEL = np.dtype("<i2")


class Form(NamedTuple):
    """What a task asks: its questions, for each the words of its labels, and the pool of each by its labels."""

    aggregator: Aggregator
    questions: tuple[Question, ...]
    labels: tuple[tuple[str, ...], ...]
    pools: tuple[str, ...]


class Task(NamedTuple):
    """The state of a task as it stands."""

    task_id: UUID
    project_id: UUID
    vendor_id: UUID
    batch_id: UUID
    task_type: int
    domain: int
    redundancy: Redundancy
    questions: bytes
    version: int = 0
    verdict: int = 0
    found: bytes = b""
    held: bytes = b""
    trace: str = ""
    """The traceparent of the answer by which it was scored last."""

    @property
    def form(self) -> Form:
        """What it asks. Raises `UnknownTaskType`."""
        return form_of(self.task_type, self.questions)

    @property
    def closed(self) -> bool:
        """Whether no more answers are asked for."""
        return self.verdict in (Verdict.RESOLVED, Verdict.UNRESOLVED)


class NewState(NamedTuple):
    """What is written of a task, in the order of the statement."""

    task_id: UUID
    version: int
    verdict: int
    reason: int
    seen: int
    wanted: int
    result: bytes
    confidence: float
    held: bytes
    weights: bytes
    found: bytes
    updated_at: datetime
    trace: str


@lru_cache(1024)
def form_of(task_type: int, questions: bytes) -> Form:
    """The form of a task, from its serialized ``preceptor.work.v1.Questions``. Raises `UnknownTaskType`."""
    aggregator, asked = aggregator_for(task_type), tuple(Questions.FromString(questions).questions)
    labels = tuple(map(aggregator.labels, asked))
    return Form(aggregator, asked, labels, tuple(map(",".join, labels)))


def found_bytes(labels: Sequence[int | None]) -> bytes:
    """The labels found, as they are kept."""
    return np.array([-1 if label is None else label for label in labels], _LABEL).tobytes()


async def load_tasks(tx: Transaction, task_ids: Collection[UUID]) -> list[Task]:
    """The tasks that are known."""
    return _tasks(await tx.fetch(_LOAD, list(task_ids)))


async def load_tasks_of(tx: Transaction, project_id: UUID) -> list[Task]:
    """All tasks of a project."""
    return _tasks(await tx.fetch(_LOAD_OF, project_id))


def _tasks(rows: Iterable[Row]) -> list[Task]:
    return [
        Task(*row[:6], Redundancy(*row[6:9]), *row[9:])  # type: ignore[call-arg]  # by the order of the columns
        for row in map(tuple, rows)
    ]


async def make_tasks(tx: Transaction, tasks: Sequence[Task]) -> None:
    """Makes tasks that are not known."""
    if tasks:
        rows = [(*task[:6], task.redundancy.least, task.redundancy.greatest, task.redundancy.stop_confidence,
                 task.questions) for task in tasks]  # fmt: skip
        await tx.execute(_MAKE, *zip(*rows, strict=True))


async def write_tasks(tx: Transaction, states: Sequence[NewState]) -> None:
    """Writes what has become of tasks."""
    if states:
        await tx.execute(_WRITE, *zip(*states, strict=True))


async def hold(tx: Transaction, task_ids: Sequence[UUID], held: Sequence[bytes]) -> None:
    """Writes what is held of tasks."""
    await tx.execute(_HOLD, task_ids, held)
