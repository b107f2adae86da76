"""Scores tasks from all their answers: loads, decides in the domain, writes, emits. One set-based step for any number.

Whatever adds answers first locks their projects, then scores their tasks here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import ANSWER_KIND_WORK, Result, Route

from chassis.db import Transaction
from chassis.waiting import beside
from services.scoring.aggregation.live import stored
from services.scoring.aggregation.live.pool import Pool
from services.scoring.aggregation.models.crowd import Floats, Ints
from services.scoring.aggregation.tasks import items as pooled
from services.scoring.aggregation.tasks.items import Item, Part
from services.scoring.aggregation.tasks.sheet import Flags, Sheet
from services.scoring.domain.consensus import Finding
from services.scoring.domain.pace import Pace
from services.scoring.domain.scoring import Counts, Scoring
from services.scoring.domain.scoring import score as score_task
from services.scoring.usecases.assume_raters import Rating, assume, flagged
from services.scoring.usecases.pools import Gained, Loaded, PoolKey, Stepped, load_pools, write_pools
from services.scoring.usecases.tasks import WEIGHT, Form, NewState, Task, found_bytes, write_tasks
from services.scoring.usecases.tell import tell_judgements, to_open_questions

_UNKNOWN = Pace()
_Engine = Callable[[Pool, Part, Sequence[Item], Ints], tuple[list[Finding], NDArray[np.float32]]]


@dataclass(slots=True)
class Asked:
    """Tasks with their answers: what is asked of the engine, and what it has found.

    The questions of all tasks are items, numbered through.
    """

    tasks: Sequence[Task]
    forms: Sequence[Form]
    """Of the tasks."""
    sheet: Sheet
    stand: Flags
    """Which answers do."""
    counts: Sequence[Counts]
    """Of each task's answers."""
    items: list[Item]
    findings: list[Finding]
    """By item."""
    held: list[bytes]
    """What the models hold of each item."""
    weights: Floats
    """The evidence of each vote, in nats; NaN where it has none."""

    def questions(self) -> Iterator[slice]:
        """The items of each task."""
        ends = np.concatenate(([0], np.cumsum(self.sheet.width))).tolist()
        return (slice(a, b) for a, b in pairwise(ends))


class Following(NamedTuple):
    """What follows for a task: its scoring, its result, and the state to be written."""

    task: Task
    scoring: Scoring
    result: Result
    state: NewState


class _Pooled(NamedTuple):
    """A pool with its part of what is asked."""

    key: PoolKey
    part: Part
    task: Task
    """One of those that have a question of it."""
    numbers: Ints
    """Whose votes a step touches, by their numbers in the sheet."""
    experts: Sequence[UUID]
    """The same by their ids, in this order."""


async def score(
    tx: Transaction, tasks: Sequence[Task], sheet: Sheet, paces: Mapping[UUID, Pace], traces: Mapping[UUID, str]
) -> None:
    """Scores tasks of locked projects by their answers: a step of their pools, the next version of each, TaskScored.

    `paces` are those of the projects before, `traces` the traceparents of what caused it, by task.
    """
    asked = ask(tasks, sheet)
    paces = _paces(tasks, sheet, paces)
    pools = _by_pool(asked)
    loaded = await load_pools(tx, {pool.key: pool.experts for pool in pools})
    await _assume_new(tx, pools, loaded)
    stepped, gained = [], np.zeros(len(tasks), dtype=np.int64)
    for pool in pools:
        part, model, muted = _run(asked, pool, loaded[pool.key], pooled.step)
        stepped.append(Stepped(pool.key, pool.task.vendor_id, pool.experts, muted, model))
        np.add.at(gained, sheet.task[sheet.answer[part.cast[~sheet.known[sheet.answer[part.cast]]]]], 1)
        np.subtract.at(gained, sheet.task[sheet.answer[part.gone]], 1)
    async with beside(write_pools(tx, stepped, _gained(tasks, gained, paces))):
        following = follow(asked, dict(enumerate(outcomes(asked, paces))), traces)
    await write(tx, following)


def ask(tasks: Sequence[Task], sheet: Sheet) -> Asked:
    """What tasks ask of the engine, by what is known of their answers."""
    stand, human = sheet.standing(), ~sheet.model
    counted = (np.bincount(sheet.task[some], minlength=len(tasks)).tolist() for some in (human, human & stand))
    counts, forms = list(map(Counts, *counted)), [task.form for task in tasks]
    items = [
        Item(question, form.aggregator, task.redundancy.greatest - count.standing)
        for task, form, count in zip(tasks, forms, counts, strict=True)
        for question in form.questions
    ]
    held = [task.held[own] for task, form in zip(tasks, forms, strict=True) for own in form.held]
    nothing = [Finding(None, (), 0)] * len(items)
    return Asked(tasks, forms, sheet, stand, counts, items, nothing, held, np.full(len(sheet.answer), np.nan))


async def look(tx: Transaction, asked: Asked) -> None:
    """Fills in what is found of tasks by what is held of them, without a step."""
    pools = _by_pool(asked)
    loaded = await load_pools(tx, {pool.key: pool.experts for pool in pools}) if pools else {}
    for pool in pools:
        _run(asked, pool, loaded[pool.key], pooled.look)


def outcomes(asked: Asked, paces: Mapping[UUID, Pace]) -> list[Scoring]:
    """What follows of each task from what is found of it."""
    return [
        score_task(
            answers,
            asked.findings[questions],
            counted,
            form.names,
            task.redundancy,
            paces.get(task.project_id, _UNKNOWN),
            closed=task.closed,
            subjective=form.aggregator.subjective,
        )
        for task, form, answers, counted, questions in zip(
            asked.tasks, asked.forms, asked.sheet.answered(), asked.counts, asked.questions(), strict=True
        )
    ]


def follow(asked: Asked, scorings: Mapping[int, Scoring], traces: Mapping[UUID, str]) -> list[Following]:
    """The next version of those of the tasks of which, by their places, the scoring is given.

    What no new answer has caused carries on the trace of the last one.
    """
    weights, kept = _weights(asked), asked.sheet.pack()
    latest = np.zeros(len(asked.tasks), dtype=np.int64)
    np.maximum.at(latest, asked.sheet.task, asked.sheet.answers["submitted"].astype(np.int64))
    updated_at, questions = latest.tolist(), list(asked.questions())
    following = []
    for place, scoring in scorings.items():
        task, form = asked.tasks[place], asked.forms[place]
        result = form.aggregator.result(form.questions, scoring.findings)
        state = NewState(
            task_id=task.task_id,
            version=task.version + 1,
            verdict=scoring.outcome.verdict,
            reason=scoring.outcome.reason,
            seen=scoring.seen,
            wanted=scoring.outcome.wanted,
            result=result.SerializeToString(deterministic=True),
            confidence=scoring.confidence,
            held=b"".join(asked.held[questions[place]]),
            weights=weights[place],
            found=found_bytes(scoring.findings),
            updated_at=updated_at[place],
            trace=traces.get(task.task_id) or task.trace,
            answers=kept[place].answers,
            stated=kept[place].stated,
        )
        following.append(Following(task, scoring, result, state))
    return following


async def write(tx: Transaction, following: Sequence[Following]) -> None:
    """Writes the next versions of tasks, and emits TaskScored for each."""
    async with beside(write_tasks(tx, (one.task for one in following), [one.state for one in following])):
        for task, scoring, result, state in following:
            tx.emit(_event(task, scoring, result, state), traceparent=state.trace or None)


def _by_pool(asked: Asked) -> list[_Pooled]:
    """The pools that tasks have questions of."""
    numbers: dict[PoolKey, int] = {}
    of_items: list[int] = []
    first: list[Task] = []
    for task, form in zip(asked.tasks, asked.forms, strict=True):
        for labels in form.pools:
            number = numbers.setdefault(PoolKey(task.project_id, labels), len(numbers))
            of_items.append(number)
            if number == len(first):
                first.append(task)
    parts = pooled.parts(asked.sheet, asked.stand, np.array(of_items, dtype=np.int64))
    return [_pooled(*each) for each in zip(numbers, parts, first, strict=True)]


def _pooled(key: PoolKey, part: Part, task: Task) -> _Pooled:
    numbers = part.experts
    return _Pooled(key, part, task, numbers, [part.sheet.experts[number] for number in numbers.tolist()])


async def _assume_new(tx: Transaction, pools: Sequence[_Pooled], loaded: Mapping[PoolKey, Loaded]) -> None:
    """Gives raters who are new to a pool a state: nothing counted, and what is assumed of them."""
    new = {pool.key: [e for e in pool.experts if e not in loaded[pool.key].raters] for pool in pools}
    wanted = {
        Rating(pool.key.project_id, expert, pool.task.task_type, pool.task.domain)
        for pool in pools
        for expert in new[pool.key]
    }
    assumed, muted = await assume(tx, wanted), await flagged(tx, {rating.expert_id for rating in wanted})
    for key, some in new.items():
        loaded[key].raters |= {
            expert: stored.Rater(assumed[key.project_id, expert], muted=expert in muted) for expert in some
        }


def _run(asked: Asked, pool: _Pooled, loaded: Loaded, engine: _Engine) -> tuple[Part, Pool, set[UUID]]:
    """Fills in what the engine finds of the items of a pool, and what is held of them from now on.

    Gives the part that is heard, the pool by then, and those of its raters that are muted.
    """
    experts, numbers = pool.experts, pool.numbers
    raters = [loaded.raters[expert] for expert in experts]
    muted = {expert for expert, rater in zip(experts, raters, strict=True) if rater.muted}
    part = pool.part.heard(numbers[[rater.muted for rater in raters]]) if muted else pool.part
    own = part.items.tolist()
    some = [asked.items[item] for item in own]
    classes = pool.key.labels.count(",") + 1
    model = stored.load(classes, loaded.state, raters, [asked.held[item] for item in own], loaded.crowd, loaded.config)
    findings, weights = engine(model, part, some, numbers)
    asked.weights[part.cast] = weights
    for item, finding, held in zip(own, findings, stored.item_states(model), strict=True):
        asked.findings[item], asked.held[item] = finding, held
    return part, model, muted


def _weights(asked: Asked) -> list[bytes]:
    """The weights of the votes that stand and name a label, by task: in the order of questions and answers."""
    sheet = asked.sheet
    cast = sheet.by_item(asked.stand[sheet.answer] & (sheet.label >= 0), np.zeros(len(sheet.answer), dtype=np.bool_))
    sizes = np.bincount(sheet.task[sheet.answer[cast]], minlength=len(asked.tasks))
    whole = asked.weights[cast].astype(WEIGHT).tobytes()
    ends = np.concatenate(([0], np.cumsum(sizes))) * WEIGHT.itemsize
    return [whole[a:b] for a, b in pairwise(ends.tolist())]


def _paces(tasks: Sequence[Task], sheet: Sheet, before: Mapping[UUID, Pace]) -> dict[UUID, Pace]:
    """How long answers take in each project, with those that have come."""
    took: dict[UUID, list[int]] = {project: [] for project in before}
    new = ~sheet.known
    for place, hold_ms in zip(sheet.task[new].tolist(), sheet.hold_ms[new].tolist(), strict=True):
        took[tasks[place].project_id].append(hold_ms)
    return {project: pace.with_answers(took[project]) for project, pace in before.items()}


def _gained(tasks: Sequence[Task], votes: Ints, paces: Mapping[UUID, Pace]) -> list[Gained]:
    """What each project has gained by a step, from how many votes each task has."""
    gained: dict[UUID, int] = {}
    for task, more in zip(tasks, votes.tolist(), strict=True):
        gained[task.project_id] = gained.get(task.project_id, 0) + more
    return [Gained(project, more, paces[project]) for project, more in gained.items()]


def _event(task: Task, scoring: Scoring, result: Result, state: NewState) -> events_pb2.TaskScored:
    event = events_pb2.TaskScored(task_id=str(task.task_id), kind=ANSWER_KIND_WORK, confidence=state.confidence)
    event.version = state.version
    event.answers_seen, event.answers_wanted = scoring.seen, scoring.outcome.wanted
    event.verdict = events_pb2.Verdict.ValueType(scoring.outcome.verdict)
    event.route, event.skill_wanted = Route.ValueType(scoring.routing.route), scoring.routing.skill
    if scoring.final:
        event.stop_reason = events_pb2.StopReason.ValueType(scoring.outcome.reason)
        event.result.CopyFrom(result)
        tell_judgements(event, scoring.judgements)
    if scoring.routing.questions:
        event.open_questions.CopyFrom(to_open_questions(task.form, scoring))
    return event
