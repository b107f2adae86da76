"""AnswerSubmitted: the answer becomes a vote on each question of its task, and the task is scored anew.

A fixed number of statements, whatever the number of events and tasks. An answer that is known already changes nothing,
and nothing is emitted again for it: its TaskScored was committed together with its votes, so the outbox has or had it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from typing import NamedTuple
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
from services.scoring.usecases.pools import Project, lock_projects
from services.scoring.usecases.tasks import Task, load_tasks, make_tasks
from services.scoring.usecases.votes import NewAnswer, add_votes

_SINGLE = Questions(questions=[Question(id=PREFERENCE)])
"""What an answer is to that names no questions: the first release knew preferences alone."""


class _Read(NamedTuple):
    """An event, read and checked: the task as the event tells of it, and the answer; with a key, it is gold."""

    task: Task
    answer: NewAnswer
    gold_key: Sequence[Stated] | None


async def react(tx: Transaction, events: Sequence[Event[AnswerSubmitted]], _: Context) -> None:
    """Adds the votes, then scores every task that got one; answers to gold are no votes and are judged at once.

    Raises `InvalidName`, `InvalidRedundancy`, `UnknownTaskType` or `AnswerMisfit` for an event that no retry can mend.
    """
    read = [_read(event.message) for event in events]
    traces = {one.task.task_id: event.traceparent for one, event in zip(read, events, strict=True)}
    await _score(tx, [one for one in read if one.gold_key is None], traces)
    gold = [_gold(one.task, one.answer, one.gold_key) for one in read if one.gold_key]
    await judge_gold.judge(tx, gold, traces)


async def _score(tx: Transaction, read: Sequence[_Read], traces: Mapping[UUID, str]) -> None:
    if not read:
        return
    told = {one.task.task_id: one.task for one in read}
    projects = (Project(t.project_id, t.vendor_id, t.task_type, t.domain) for t in told.values())
    paces = await lock_projects(tx, projects)
    tasks = {task.task_id: task for task in await load_tasks(tx, told)}
    new = [task for task_id, task in told.items() if task_id not in tasks]
    await make_tasks(tx, new)
    tasks |= {task.task_id: task for task in new}
    votes = await add_votes(tx, [one.answer for one in read])
    if votes:
        await score_tasks.score(tx, [tasks[task_id] for task_id in votes], votes, paces, traces)


def _read(event: AnswerSubmitted) -> _Read:
    questions = event.questions if event.questions.questions else _SINGLE
    read = aggregator_for(event.task_type).read
    redundancy = event.redundancy
    task = Task(
        task_id=parse_id(event.task_id, "task_id"),
        project_id=_known_id(event.project_id, "project_id"),
        vendor_id=_known_id(event.vendor_id, "vendor_id"),
        batch_id=_known_id(event.batch_id, "batch_id"),
        task_type=event.task_type,
        domain=event.domain,
        redundancy=Redundancy(redundancy.min_answers, redundancy.max_answers, redundancy.stop_confidence),
        questions=questions.SerializeToString(deterministic=True),
    )
    answer = NewAnswer(
        answer_id=parse_id(event.answer_id, "answer_id"),
        task_id=task.task_id,
        vendor_id=task.vendor_id,
        expert_id=_known_id(event.expert_id, "expert_id"),
        surplus=event.surplus,
        submitted_at=event.submit_time.ToDatetime(tzinfo=UTC),
        seconds=event.time_spent.active_seconds,
        stated=read(event.answer, questions.questions),
    )
    gold = event.kind == ANSWER_KIND_GOLD
    return _Read(task, answer, read(event.gold_key, questions.questions) if gold else None)


@lru_cache(10_000)
def _known_id(text: str, field: str) -> UUID:
    """As `parse_id`, for ids that many events have in common."""
    return parse_id(text, field)


def _gold(task: Task, answer: NewAnswer, key: Sequence[Stated]) -> judge_gold.GoldAnswer:
    return judge_gold.GoldAnswer(
        answer_id=answer.answer_id,
        task_id=task.task_id,
        vendor_id=task.vendor_id,
        expert_id=answer.expert_id,
        task_type=task.task_type,
        domain=task.domain,
        questions=task.form.questions,
        stated=answer.stated,
        key=key,
        submitted_at=answer.submitted_at,
    )
