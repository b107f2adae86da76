"""Scores tasks from all their votes: loads, decides in the domain, writes, emits. One set-based step for any number.

Whatever changes the votes of tasks first locks the tasks, then writes, then scores them here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING
from uuid import UUID

from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import ANSWER_KIND_WORK, Question, Questions, Result

from chassis.db import Transaction
from services.scoring.aggregation import aggregator_for
from services.scoring.domain.reliability import Record
from services.scoring.domain.scoring import Asked, Scoring
from services.scoring.domain.scoring import score as score_task
from services.scoring.domain.stopping import Redundancy, Verdict
from services.scoring.domain.votes import Vote
from services.scoring.usecases.tell import to_judgement
from services.scoring.usecases.write_records import RecordChange

if TYPE_CHECKING:
    import asyncpg

_LOCK = """
SELECT task_id, task_type, domain, min_answers, max_answers, stop_confidence, questions, version, verdict
FROM task_state
WHERE task_id = ANY($1::uuid[])
ORDER BY task_id
FOR UPDATE
"""

_VOTES = """
SELECT v.task_id, v.answer_id, v.question, v.expert_id, v.label, v.strength, v.submitted_at, v.credit,
       coalesce(r.correct, 0) AS correct, coalesce(r.total, 0) AS total
FROM vote v
JOIN task_state t USING (task_id)
LEFT JOIN rater r ON (r.expert_id, r.task_type, r.domain) = (v.expert_id, t.task_type, t.domain)
WHERE v.task_id = ANY($1::uuid[])
ORDER BY v.task_id, v.answer_id, v.question
"""

_WRITE_STATES = """
UPDATE task_state t
SET version = t.version + 1, verdict = n.verdict, answers_seen = n.answers_seen, answers_wanted = n.answers_wanted,
    result = n.result, confidence = n.confidence, updated_at = n.updated_at
FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::integer[], $5::bytea[], $6::double precision[],
            $7::timestamptz[]) AS n (task_id, verdict, answers_seen, answers_wanted, result, confidence, updated_at)
WHERE t.task_id = n.task_id
"""

_WRITE_VOTES = """
UPDATE vote v
SET weight = n.weight, credit = n.credit
FROM unnest($1::uuid[], $2::smallint[], $3::double precision[], $4::double precision[])
     AS n (answer_id, question, weight, credit)
WHERE (v.answer_id, v.question) = (n.answer_id, n.question)
  AND (v.weight, v.credit) IS DISTINCT FROM (n.weight, n.credit)
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A locked task."""

    task_id: UUID
    task_type: int
    domain: int
    redundancy: Redundancy
    questions: Sequence[Question]
    version: int
    closed: bool


@dataclass(frozen=True, slots=True)
class _Scored:
    """A task with its votes and what follows from them."""

    task: Task
    votes: Sequence[Vote]
    scoring: Scoring
    result: Result

    @property
    def latest(self) -> datetime:
        return max(vote.submitted_at for vote in self.votes)


async def lock(tx: Transaction, task_ids: Collection[UUID]) -> list[Task]:
    """Locks tasks until the end of the transaction, in the order of their ids; leaves out those not known."""
    return [_task(row) for row in await tx.fetch(_LOCK, list(task_ids))]


async def score(tx: Transaction, tasks: Sequence[Task], traces: Mapping[UUID, str]) -> list[RecordChange]:
    """Scores locked tasks that have votes: writes the next version of each and emits TaskScored.

    `traces` are the traceparents of what caused it, by task. Returns what its raters' records gain, which is the
    caller's to write (`write_records`).
    """
    if not tasks:
        return []
    votes = await _votes(tx, tasks)
    scored = [_score(task, votes[task.task_id]) for task in tasks]
    await _write_states(tx, scored)
    await _write_votes(tx, scored)
    for one in scored:
        tx.emit(_event(one), traceparent=traces.get(one.task.task_id))
    return [
        RecordChange(expert_id, one.task.task_type, one.task.domain, gained)
        for one in scored
        for expert_id, gained in one.scoring.record_changes.items()
    ]


def _score(task: Task, votes: Sequence[Vote]) -> _Scored:
    aggregator = aggregator_for(task.task_type)
    asked = [
        Asked(question.id, len(aggregator.labels(question)), partial(aggregator.aggregate, question))
        for question in task.questions
    ]
    scoring = score_task(votes, task.redundancy, closed=task.closed, asked=asked)
    return _Scored(task, votes, scoring, aggregator.result(task.questions, scoring.findings))


async def _votes(tx: Transaction, tasks: Iterable[Task]) -> Mapping[UUID, Sequence[Vote]]:
    rows = await tx.fetch(_VOTES, [task.task_id for task in tasks])
    return {task_id: [_vote(row) for row in group] for task_id, group in groupby(rows, lambda row: row["task_id"])}


async def _write_states(tx: Transaction, scored: Sequence[_Scored]) -> None:
    await tx.execute(
        _WRITE_STATES,
        [one.task.task_id for one in scored],
        [one.scoring.verdict for one in scored],
        [one.scoring.seen for one in scored],
        [one.scoring.wanted for one in scored],
        [one.result.SerializeToString(deterministic=True) for one in scored],
        [one.scoring.confidence for one in scored],
        [one.latest for one in scored],
    )


async def _write_votes(tx: Transaction, scored: Sequence[_Scored]) -> None:
    """Keeps the weights, so that the explanation of a consensus is the arithmetic that was done, and the credits."""
    votes = [(vote, one.scoring) for one in scored for vote in one.votes]
    ballots = [scoring.findings[vote.question].ballots.get(vote.answer_id) for vote, scoring in votes]
    await tx.execute(
        _WRITE_VOTES,
        [vote.answer_id for vote, _ in votes],
        [vote.question for vote, _ in votes],
        [ballot.weight if ballot else None for ballot in ballots],
        [scoring.credits.get(vote.key) for vote, scoring in votes],
    )


def _event(scored: _Scored) -> events_pb2.TaskScored:
    scoring = scored.scoring
    final = scoring.verdict is not Verdict.MORE_WANTED
    return events_pb2.TaskScored(
        task_id=str(scored.task.task_id),
        version=scored.task.version + 1,
        answers_seen=scoring.seen,
        answers_wanted=scoring.wanted,
        verdict=events_pb2.Verdict.ValueType(scoring.verdict),
        result=scored.result if final else None,
        confidence=scoring.confidence,
        kind=ANSWER_KIND_WORK,
        judgements=map(to_judgement, scoring.judgements),
    )


def _task(row: asyncpg.Record) -> Task:
    return Task(
        task_id=row["task_id"],
        task_type=row["task_type"],
        domain=row["domain"],
        redundancy=Redundancy(row["min_answers"], row["max_answers"], row["stop_confidence"]),
        questions=Questions.FromString(row["questions"]).questions,
        version=row["version"],
        closed=row["verdict"] in (Verdict.RESOLVED, Verdict.UNRESOLVED),
    )


def _vote(row: asyncpg.Record) -> Vote:
    return Vote(
        answer_id=row["answer_id"],
        expert_id=row["expert_id"],
        label=row["label"],
        strength=row["strength"],
        submitted_at=row["submitted_at"],
        record=Record(row["correct"], row["total"]),
        credit=row["credit"],
        question=row["question"],
    )
