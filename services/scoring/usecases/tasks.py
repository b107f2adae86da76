"""Reads, makes and writes the states of tasks. Their projects are locked before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, pairwise
from struct import Struct
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.work.v1.work_pb2 import Question, Questions

from chassis.db import Row, Transaction
from services.scoring.aggregation.live import stored
from services.scoring.aggregation.tasks.sheet import Kept
from services.scoring.aggregation.types import aggregator_for
from services.scoring.aggregation.types.aggregator import Aggregator
from services.scoring.domain.consensus import Finding
from services.scoring.domain.stopping import RESOLVED, UNRESOLVED, Redundancy

_LOAD = """
SELECT task_id, project_id, vendor_id, batch_id, task_type, domain, min_answers, max_answers, stop_confidence,
       least_worth, agreed_confidence, questions, version, verdict, found, held, trace, answers, stated
FROM task_state WHERE task_id = ANY($1::uuid[]) ORDER BY task_id
"""

_LOAD_OF = """
SELECT task_id, project_id, vendor_id, batch_id, task_type, domain, min_answers, max_answers, stop_confidence,
       least_worth, agreed_confidence, questions, version, verdict, found, held, trace, answers, stated
FROM task_state WHERE project_id = $1 ORDER BY task_id
"""

# The update does not see what the insert adds: what an event tells of a task for good is given of new ones alone.
_WRITE = """
WITH n AS MATERIALIZED (
    SELECT *, 'epoch'::timestamptz + updated * interval '1 microsecond' AS updated_at FROM unnest($1::scored_task[])),
made AS (
    INSERT INTO task_state (task_id, project_id, vendor_id, batch_id, task_type, domain, min_answers, max_answers,
                            stop_confidence, least_worth, agreed_confidence, questions, version, verdict, reason,
                            answers_seen, answers_wanted, result, confidence, held, weights, found, updated_at, trace,
                            answers, stated)
    SELECT t.*, n.version, n.verdict, n.reason, n.seen, n.wanted, n.result, n.confidence, n.held, n.weights, n.found,
           n.updated_at, n.trace, n.answers, n.stated
    FROM unnest($2::new_task[]) AS t JOIN n USING (task_id))
UPDATE task_state t
SET version = n.version, verdict = n.verdict, reason = n.reason, answers_seen = n.seen, answers_wanted = n.wanted,
    result = n.result, confidence = n.confidence, held = n.held, weights = n.weights, found = n.found,
    updated_at = n.updated_at, trace = n.trace, answers = n.answers, stated = n.stated
FROM n WHERE t.task_id = n.task_id
"""

_HOLD = """
UPDATE task_state t SET held = n.held FROM unnest($1::uuid[], $2::bytea[]) AS n (task_id, held)
WHERE t.task_id = n.task_id AND t.held <> n.held
"""

WEIGHT = np.dtype("<f4")
"""How the weights of votes are kept, in nats, by question and answer."""
_LABEL = Struct("<h").pack


class Form(NamedTuple):
    """What a task asks: its questions, and of each its name, the words of its labels, the pool by these, and where what
    the models hold of it lies in what they hold of the task.
    """

    aggregator: Aggregator
    questions: tuple[Question, ...]
    names: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    pools: tuple[str, ...]
    held: tuple[slice, ...]


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
    kept: Kept = Kept(b"", b"")

    @property
    def new(self) -> bool:
        """Whether nothing of it is kept yet."""
        return self.version == 0

    @property
    def form(self) -> Form:
        """What it asks. Raises `UnknownTaskType`."""
        return form_of(self.task_type, self.questions)

    def held_of(self, question: int) -> bytes:
        """What the models hold of a question."""
        return self.held[self.form.held[question]]

    @property
    def closed(self) -> bool:
        """Whether no more answers are asked for."""
        return self.verdict in (RESOLVED, UNRESOLVED)


class NewState(NamedTuple):
    """What is written of a task, in the order of the type `scored_task`."""

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
    updated_at: int
    """In microseconds since 1970."""
    trace: str
    answers: bytes
    stated: bytes


@lru_cache(1024)
def form_of(task_type: int, questions: bytes) -> Form:
    """The form of a task, from its serialized ``preceptor.work.v1.Questions``. Raises `UnknownTaskType`."""
    aggregator, asked = aggregator_for(task_type), tuple(Questions.FromString(questions).questions)
    labels = tuple(map(aggregator.labels, asked))
    ends = [0, *accumulate(stored.item_bytes(len(words)) for words in labels)]
    held = tuple(slice(a, b) for a, b in pairwise(ends))
    return Form(aggregator, asked, tuple(each.id for each in asked), labels, tuple(map(",".join, labels)), held)


@lru_cache(1024)
def rule_of(
    least: int, greatest: int, stop_confidence: float, least_worth: float | None, agreed_confidence: float | None
) -> Redundancy:
    """The stop rule that tasks have in common. Raises `InvalidRedundancy`."""
    return Redundancy(least, greatest, stop_confidence, least_worth, agreed_confidence)


def found_bytes(findings: Iterable[Finding]) -> bytes:
    """The labels found, as they are kept: by question, -1 where there is none."""
    return b"".join([_LABEL(-1 if found.consensus is None else found.consensus.label) for found in findings])


async def load_tasks(tx: Transaction, task_ids: Collection[UUID]) -> list[Task]:
    """The tasks that are known."""
    return _tasks(await tx.fetch(_LOAD, list(task_ids)))


async def load_tasks_of(tx: Transaction, project_id: UUID) -> list[Task]:
    """All tasks of a project."""
    return _tasks(await tx.fetch(_LOAD_OF, project_id))


def _tasks(rows: Iterable[Row]) -> list[Task]:
    return [
        Task(*row[:6], rule_of(*row[6:11]), *row[11:17], Kept(*row[17:]))  # type: ignore[call-arg]  # by the columns
        for row in map(tuple, rows)
    ]


async def write_tasks(tx: Transaction, tasks: Iterable[Task], states: Sequence[NewState]) -> None:
    """Makes the tasks that are new, and writes what has become of all."""
    if states:
        await tx.execute(_WRITE, states, [_told(task) for task in tasks if task.new])


def _told(task: Task) -> tuple[object, ...]:
    """What an event tells of a task for good, as a `new_task`."""
    rule = task.redundancy
    stated = rule.stop_confidence, rule.least_worth, rule.agreed_confidence
    return (*task[:6], rule.least, rule.greatest, *stated, task.questions)


async def hold(tx: Transaction, task_ids: Sequence[UUID], held: Sequence[bytes]) -> None:
    """Writes what is held of tasks."""
    await tx.execute(_HOLD, task_ids, held)
