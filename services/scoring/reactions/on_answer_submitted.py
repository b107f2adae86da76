"""AnswerSubmitted: the answer becomes a vote on each question of its task, and the task is scored anew.

A fixed number of statements, whatever the number of events and tasks. An answer that is known already changes nothing,
and nothing is emitted again for it: its TaskScored was committed together with its votes, so the outbox has or had it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1 import work_pb2
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, Question, Questions

from chassis.bus.envelope import Event
from chassis.contract.answers.pairwise_preference import PREFERENCE
from chassis.db import Transaction
from chassis.errors import FailedPrecondition
from chassis.ids import parse_id
from chassis.waiting import beside
from services.scoring.aggregation.tasks.sheet import New, Sheet, pack_answer, pack_stated, unpack
from services.scoring.aggregation.types import aggregator_for
from services.scoring.aggregation.types.aggregator import AnswerMisfit, Stated
from services.scoring.context import Context
from services.scoring.domain.models import prediction_of, rater_of
from services.scoring.domain.stopping import Redundancy
from services.scoring.usecases import judge_gold, score_tasks
from services.scoring.usecases.pools import Project, lock_projects
from services.scoring.usecases.tasks import Task, form_of, load_tasks, rule_of

_SINGLE = Questions(questions=[Question(id=PREFERENCE)])
"""What an answer is to that names no questions: the first release knew preferences alone."""
_SINGLE_BYTES = _SINGLE.SerializeToString(deterministic=True)


_LAST_SECOND = 4_102_444_800
"""Of this century. A time that no calendar has would be met later, by whoever fits the project or explains the task."""


class SubmitTimeImpossible(FailedPrecondition):
    """The answer is said to have been submitted before 1970 or after 2099."""

    reason = "SUBMIT_TIME_IMPOSSIBLE"


class _Read(NamedTuple):
    """An event, read and checked; with a key, the answer is to gold."""

    event: AnswerSubmitted
    project: Project
    task_id: UUID
    answer_id: UUID
    expert_id: UUID
    stated: Sequence[Stated]
    gold_key: Sequence[Stated] | None


async def react(tx: Transaction, events: Sequence[Event[AnswerSubmitted]], _: Context) -> None:
    """Adds the answers, then scores every task that got one; those to gold are no votes and are judged at once.

    Raises `InvalidName`, `InvalidRedundancy`, `UnknownTaskType`, `AnswerMisfit` or `SubmitTimeImpossible` for an event
    that no retry can mend.
    """
    read = [_read(event.message) for event in events]
    traces = {one.task_id: event.traceparent for one, event in zip(read, events, strict=True)}
    await _score(tx, [one for one in read if one.gold_key is None], traces)
    gold = [_gold(one, one.gold_key) for one in read if one.gold_key]
    await judge_gold.judge(tx, gold, traces)


async def _score(tx: Transaction, read: Sequence[_Read], traces: Mapping[UUID, str]) -> None:
    if not read:
        return
    paces = await lock_projects(tx, {one.project for one in read})
    told = {one.task_id: one for one in read}
    places = {task_id: place for place, task_id in enumerate(told)}
    async with beside(load_tasks(tx, told)) as loading:
        new = [row for one in read for row in _rows(places[one.task_id], one)]
    known = {task.task_id: task for task in loading.result()}
    all_ = {task_id: known.get(task_id) or _task(one) for task_id, one in told.items()}
    for one in read:
        _check_asked(one.event, all_[one.task_id])
    tasks, sheet = _with_new([*all_.values()], new)
    if tasks:
        await score_tasks.score(tx, tasks, sheet, paces, traces)


def _check_asked(event: AnswerSubmitted, task: Task) -> None:
    """Raises `AnswerMisfit` for an answer to other questions than the task's: votes are kept by place and by label."""
    asked = _questions(event)
    if asked != task.questions or event.task_type != task.task_type:
        told, form = form_of(event.task_type, asked), task.form
        if (told.aggregator, told.names, told.labels) != (form.aggregator, form.names, form.labels):
            raise AnswerMisfit(field="questions")


def _with_new(tasks: Sequence[Task], new: Sequence[New]) -> tuple[Sequence[Task], Sheet]:
    """The tasks that got an answer they did not have, with all of their answers."""
    sheet = unpack([task.kept for task in tasks], [len(task.form.questions) for task in tasks], new)
    got = {place: n for n, place in enumerate(np.unique(sheet.task[~sheet.known]).tolist())}
    if len(got) == len(tasks):
        return tasks, sheet
    rest = [row._replace(place=got[row.place]) for row in new if row.place in got]
    return _with_new([tasks[place] for place in got], rest)


def _rows(place: int, read: _Read) -> Iterator[New]:
    """The answer, and what models say: known by their ids, the same with however many answers it comes.

    A model has no time of its own, and the first answer's would depend on their order: it spoke before all of them.
    """
    yield New(place, _packed(read), pack_stated(read.stated))
    for said in read.event.predictions:
        answer_id, rater = prediction_of(read.task_id, said.model), rater_of(read.project.project_id, said.model)
        stated = aggregator_for(read.event.task_type).read(said.answer, read.event.questions.questions)
        yield New(place, pack_answer(answer_id, rater, 0, 0, surplus=False), pack_stated(stated))


def _packed(read: _Read) -> bytes:
    at = read.event.submit_time
    if not 0 <= at.seconds < _LAST_SECOND:
        raise SubmitTimeImpossible(answer=str(read.answer_id))
    submitted = at.seconds * 1_000_000 + at.nanos // 1000
    return pack_answer(read.answer_id, read.expert_id, submitted, _hold_ms(read.event), surplus=read.event.surplus)


def _hold_ms(event: AnswerSubmitted) -> int:
    """The milliseconds for which the task was held, as tasking measured it, one at least; 0 if it is not told.

    What the client says of its time is not looked at.
    """
    if not event.HasField("hold_duration"):
        return 0
    return max(event.hold_duration.seconds * 1000 + event.hold_duration.nanos // 1_000_000, 1)


def _read(event: AnswerSubmitted) -> _Read:
    questions = event.questions.questions or _SINGLE.questions
    read = aggregator_for(event.task_type).read
    return _Read(
        event,
        _project(event.project_id, event.vendor_id, event.task_type, event.domain),
        parse_id(event.task_id, "task_id"),
        parse_id(event.answer_id, "answer_id"),
        _known_id(event.expert_id, "expert_id"),
        read(event.answer, questions),
        read(event.gold_key, questions) if event.kind == ANSWER_KIND_GOLD else None,
    )


@lru_cache(10_000)
def _project(project_id: str, vendor_id: str, task_type: int, domain: int) -> Project:
    return Project(parse_id(project_id, "project_id"), parse_id(vendor_id, "vendor_id"), task_type, domain)


@lru_cache(10_000)
def _known_id(text: str, field: str) -> UUID:
    """As `parse_id`, for ids that many events have in common."""
    return parse_id(text, field)


def _task(read: _Read) -> Task:
    """A task of which nothing is kept yet, as an event tells of it."""
    event = read.event
    return Task(
        task_id=read.task_id,
        project_id=read.project.project_id,
        vendor_id=read.project.vendor_id,
        batch_id=_known_id(event.batch_id, "batch_id"),
        task_type=event.task_type,
        domain=event.domain,
        redundancy=_rule(event.redundancy),
        questions=_questions(event),
    )


def _questions(event: AnswerSubmitted) -> bytes:
    return event.questions.SerializeToString(deterministic=True) or _SINGLE_BYTES


def _rule(told: work_pb2.Redundancy) -> Redundancy:
    return rule_of(
        told.min_answers,
        told.max_answers,
        told.stop_confidence,
        told.least_worth if told.HasField("least_worth") else None,
        told.agreed_confidence if told.HasField("agreed_confidence") else None,
    )


def _gold(read: _Read, key: Sequence[Stated]) -> judge_gold.GoldAnswer:
    return judge_gold.GoldAnswer(
        answer_id=read.answer_id,
        task_id=read.task_id,
        item_id=parse_id(read.event.gold_item_id, "gold_item_id") if read.event.gold_item_id else None,
        project_id=read.project.project_id,
        vendor_id=read.project.vendor_id,
        expert_id=read.expert_id,
        task_type=read.event.task_type,
        domain=read.event.domain,
        questions=read.event.questions if read.event.questions.questions else _SINGLE,
        stated=read.stated,
        key=key,
        submitted_at=read.event.submit_time.ToDatetime(tzinfo=UTC),
        packed=_packed(read),
    )
