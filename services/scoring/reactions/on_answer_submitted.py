"""AnswerSubmitted: the answer becomes a vote on each question of its task, and the task is scored anew.

A fixed number of statements, whatever the number of events and tasks. An answer that is known already changes nothing,
and nothing is emitted again for it: its TaskScored was committed together with its votes, so the outbox has or had it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, Question, Questions

from chassis.bus.envelope import Event
from chassis.contract.answers.pairwise_preference import PREFERENCE
from chassis.db import Transaction
from chassis.ids import parse_id
from services.scoring.aggregation import aggregator_for
from services.scoring.aggregation.aggregator import Stated
from services.scoring.context import Context
from services.scoring.domain.stopping import Redundancy
from services.scoring.usecases import judge_gold, score_tasks
from services.scoring.usecases.write_records import write_records

_SINGLE = Questions(questions=[Question(id=PREFERENCE)])
"""What an answer is to that names no questions: the first release knew preferences alone."""

_OPEN = """
INSERT INTO task_state (task_id, vendor_id, project_id, batch_id, task_type, domain,
                        min_answers, max_answers, stop_confidence, questions, updated_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::smallint[], $6::smallint[],
                     $7::smallint[], $8::smallint[], $9::double precision[], $10::bytea[], $11::timestamptz[])
     AS t (task_id)
ORDER BY task_id
ON CONFLICT DO NOTHING
"""

_RECORD = """
INSERT INTO vote (answer_id, question, task_id, vendor_id, expert_id, label, strength, surplus, submitted_at)
SELECT * FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::uuid[], $5::uuid[], $6::smallint[], $7::smallint[],
                     $8::boolean[], $9::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING task_id
"""


@dataclass(frozen=True, slots=True)
class _Answer:
    """An event, read and checked."""

    answer_id: UUID
    task_id: UUID
    vendor_id: UUID
    expert_id: UUID
    project_id: UUID
    batch_id: UUID
    task_type: int
    domain: int
    redundancy: Redundancy
    questions: Questions
    stated: Sequence[Stated]
    surplus: bool
    submitted_at: datetime
    gold_key: Sequence[Stated] | None


async def react(tx: Transaction, events: Sequence[Event[AnswerSubmitted]], _: Context) -> None:
    """Records the votes, then scores every task that got one; answers to gold are no votes and are judged at once.

    Raises `InvalidName`, `InvalidRedundancy`, `UnknownTaskType` or `AnswerMisfit` for an event that no retry can mend.
    """
    read = [_read(event.message) for event in events]
    answers = [answer for answer in read if answer.gold_key is None]
    # States are locked before votes are written: a vote's foreign key would share the lock that is to be taken whole.
    await _open(tx, answers)
    tasks = await score_tasks.lock(tx, {answer.task_id for answer in answers})
    voted = await _record(tx, answers)
    traces = {answer.task_id: event.traceparent for answer, event in zip(read, events, strict=True)}
    changes = await score_tasks.score(tx, [task for task in tasks if task.task_id in voted], traces)
    gold = [_gold(answer, answer.gold_key) for answer in read if answer.gold_key]
    changes += await judge_gold.judge(tx, gold, traces)
    await write_records(tx, changes)


def _read(event: AnswerSubmitted) -> _Answer:
    questions = event.questions if event.questions.questions else _SINGLE
    read = aggregator_for(event.task_type).read
    return _Answer(
        answer_id=parse_id(event.answer_id, "answer_id"),
        task_id=parse_id(event.task_id, "task_id"),
        vendor_id=parse_id(event.vendor_id, "vendor_id"),
        expert_id=parse_id(event.expert_id, "expert_id"),
        project_id=parse_id(event.project_id, "project_id"),
        batch_id=parse_id(event.batch_id, "batch_id"),
        task_type=event.task_type,
        domain=event.domain,
        redundancy=Redundancy(
            event.redundancy.min_answers, event.redundancy.max_answers, event.redundancy.stop_confidence
        ),
        questions=questions,
        stated=read(event.answer, questions.questions),
        gold_key=read(event.gold_key, questions.questions) if event.kind == ANSWER_KIND_GOLD else None,
        surplus=event.surplus,
        submitted_at=event.submit_time.ToDatetime(tzinfo=UTC),
    )


def _gold(answer: _Answer, key: Sequence[Stated]) -> judge_gold.GoldAnswer:
    return judge_gold.GoldAnswer(
        answer_id=answer.answer_id,
        task_id=answer.task_id,
        vendor_id=answer.vendor_id,
        expert_id=answer.expert_id,
        task_type=answer.task_type,
        domain=answer.domain,
        questions=answer.questions.questions,
        stated=answer.stated,
        key=key,
        submitted_at=answer.submitted_at,
    )


async def _open(tx: Transaction, answers: Sequence[_Answer]) -> None:
    """Makes the states of tasks that are new. What an event says of its task, all events of that task say."""
    await tx.execute(
        _OPEN,
        [answer.task_id for answer in answers],
        [answer.vendor_id for answer in answers],
        [answer.project_id for answer in answers],
        [answer.batch_id for answer in answers],
        [answer.task_type for answer in answers],
        [answer.domain for answer in answers],
        [answer.redundancy.least for answer in answers],
        [answer.redundancy.greatest for answer in answers],
        [answer.redundancy.stop_confidence for answer in answers],
        [answer.questions.SerializeToString(deterministic=True) for answer in answers],
        [answer.submitted_at for answer in answers],
    )


async def _record(tx: Transaction, answers: Sequence[_Answer]) -> set[UUID]:
    """Writes the votes that are new; returns their tasks."""
    votes = [(answer, place, stated) for answer in answers for place, stated in enumerate(answer.stated)]
    rows = await tx.fetch(
        _RECORD,
        [answer.answer_id for answer, _, _ in votes],
        [place for _, place, _ in votes],
        [answer.task_id for answer, _, _ in votes],
        [answer.vendor_id for answer, _, _ in votes],
        [answer.expert_id for answer, _, _ in votes],
        [stated.label for _, _, stated in votes],
        [stated.strength for _, _, stated in votes],
        [answer.surplus for answer, _, _ in votes],
        [answer.submitted_at for answer, _, _ in votes],
    )
    return {row["task_id"] for row in rows}
