"""Scores tasks from all their votes: loads, decides in the domain, writes, emits. One set-based step for any number.

Whatever changes votes first locks their projects, then writes, then scores their tasks here.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import nan
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import ANSWER_KIND_WORK, Result

from chassis.db import Transaction
from services.scoring.aggregation import items as pooled
from services.scoring.aggregation import stored
from services.scoring.aggregation.items import Item
from services.scoring.aggregation.pool import Pool
from services.scoring.domain.consensus import Finding
from services.scoring.domain.pace import Pace
from services.scoring.domain.scoring import Scoring
from services.scoring.domain.scoring import score as score_task
from services.scoring.domain.votes import Vote, standing
from services.scoring.usecases.assume_raters import Rating, assume, flagged
from services.scoring.usecases.pools import Gained, Loaded, PoolKey, Stepped, load_pools, write_pools
from services.scoring.usecases.tasks import WEIGHT, NewState, Task, found_bytes, write_tasks
from services.scoring.usecases.tell import to_judgement

_UNKNOWN = Pace()


@dataclass(slots=True)
class Asked:
    """A task with its votes: what is asked of the engine, and by question what it has found and holds."""

    task: Task
    votes: Sequence[Vote]
    pace: Pace
    stand: Sequence[Vote]
    items: list[Item]
    findings: list[Finding]
    held: list[bytes]


class Place(NamedTuple):
    """A question of a task."""

    asked: Asked
    question: int


async def score(
    tx: Transaction,
    tasks: Sequence[Task],
    votes: Mapping[UUID, Sequence[Vote]],
    paces: Mapping[UUID, Pace],
    traces: Mapping[UUID, str],
) -> None:
    """Scores tasks of locked projects by their votes: a step of their pools, the next version of each, TaskScored.

    `paces` are those of the projects before, `traces` the traceparents of what caused it, by task.
    """
    paces = _paces(tasks, votes, paces)
    asked = [ask(task, votes[task.task_id], paces[task.project_id]) for task in tasks]
    pools = by_pool(asked)
    experts = {key: pooled.raters([p.asked.items[p.question] for p in places]) for key, places in pools.items()}
    loaded = await load_pools(tx, experts)
    await _assume_new(tx, pools, experts, loaded)
    _leave_out_muted(pools, loaded)
    stepped = [_step(key, places, experts[key], loaded[key]) for key, places in pools.items()]
    await write_pools(tx, stepped, _gained(asked, paces))
    await write(tx, asked, traces)


def ask(task: Task, votes: Sequence[Vote], pace: Pace = _UNKNOWN) -> Asked:
    """What a task asks of the engine."""
    stand, form = standing(votes), task.form
    stood = standing([vote for vote in votes if vote.known])
    replaced = set(stood).difference(stand) if len(stand) < len(votes) else ()
    remaining = task.redundancy.greatest - len({vote.answer_id for vote in stand})
    items = pooled.items(form.questions, form.aggregator, remaining, stand, list(replaced))
    at, held = 0, []
    for labels in form.labels:
        size = stored.item_bytes(len(labels))
        held.append(task.held[at : at + size])
        at += size
    return Asked(task, votes, pace, stand, items, [], held)


def by_pool(asked: Sequence[Asked]) -> dict[PoolKey, list[Place]]:
    """The questions of tasks by their pools; those of a task in their order."""
    pools: defaultdict[PoolKey, list[Place]] = defaultdict(list)
    for one in asked:
        for question, labels in enumerate(one.task.form.pools):
            pools[PoolKey(one.task.project_id, labels)].append(Place(one, question))
    for one in asked:
        one.findings = [Finding(None, {}, 0)] * len(one.items)
    return dict(pools)


async def look(tx: Transaction, asked: Sequence[Asked]) -> None:
    """Fills in what is found of tasks by what is held of them, without a step."""
    pools = by_pool(asked)
    experts = {key: pooled.raters([p.asked.items[p.question] for p in places]) for key, places in pools.items()}
    loaded = await load_pools(tx, experts) if pools else {}
    _leave_out_muted(pools, loaded)
    for key, places in pools.items():
        raters = [loaded[key].raters[expert] for expert in experts[key]]
        pool = _load(places, raters, loaded[key])
        some = [place.asked.items[place.question] for place in places]
        for place, finding in zip(places, pooled.look(pool, some, experts[key]), strict=True):
            place.asked.findings[place.question] = finding


def outcome_of(one: Asked) -> Scoring:
    """What follows from what is found of a task."""
    names = [question.id for question in one.task.form.questions]
    return score_task(one.votes, one.stand, one.findings, names, one.task.redundancy, one.pace, closed=one.task.closed)


async def write(tx: Transaction, asked: Sequence[Asked], traces: Mapping[UUID, str]) -> None:
    """Writes the next version of each task by what is found of it, and emits TaskScored.

    What no new answer has caused carries on the trace of the last one.
    """
    states = []
    for one in asked:
        form, task = one.task.form, one.task
        scoring = outcome_of(one)
        result = form.aggregator.result(form.questions, one.findings)
        trace = traces.get(task.task_id) or task.trace
        states.append(_state(one, scoring, result.SerializeToString(deterministic=True), trace))
        tx.emit(_event(task, scoring, result), traceparent=trace or None)
    await write_tasks(tx, states)


def _state(one: Asked, scoring: Scoring, result: bytes, trace: str) -> NewState:
    follows, found = scoring.outcome, one.findings
    weights = [
        ballot.weight if (ballot := found[vote.question].ballots.get(vote.answer_id)) else nan
        for vote in sorted(one.stand, key=lambda vote: (vote.question, vote.answer_id))
        if vote.label is not None
    ]
    return NewState(
        one.task.task_id,
        one.task.version + 1,
        follows.verdict,
        follows.reason,
        scoring.seen,
        follows.wanted,
        result,
        scoring.confidence,
        b"".join(one.held),
        np.array(weights, WEIGHT).tobytes(),
        found_bytes([finding.label for finding in found]),
        max(vote.submitted_at for vote in one.votes),
        trace,
    )


async def _assume_new(
    tx: Transaction,
    pools: Mapping[PoolKey, Sequence[Place]],
    experts: Mapping[PoolKey, Sequence[UUID]],
    loaded: Mapping[PoolKey, Loaded],
) -> None:
    """Gives raters who are new to a pool a state: nothing counted, and what is assumed of them."""
    new = {key: [expert for expert in some if expert not in loaded[key].raters] for key, some in experts.items()}
    wanted = {
        Rating(key.project_id, expert, pools[key][0].asked.task.task_type, pools[key][0].asked.task.domain)
        for key, some in new.items()
        for expert in some
    }
    assumed, muted = await assume(tx, wanted), await flagged(tx, {rating.expert_id for rating in wanted})
    for key, some in new.items():
        loaded[key].raters |= {
            expert: stored.Rater(assumed[key.project_id, expert], muted=expert in muted) for expert in some
        }


def _leave_out_muted(pools: Mapping[PoolKey, Sequence[Place]], loaded: Mapping[PoolKey, Loaded]) -> None:
    for key, places in pools.items():
        if muted := {expert for expert, rater in loaded[key].raters.items() if rater.muted}:
            for asked, question in places:
                asked.items[question] = pooled.heard(asked.items[question], muted)


def _step(key: PoolKey, places: Sequence[Place], experts: Sequence[UUID], loaded: Loaded) -> Stepped:
    """One step of a pool; fills in what is found of its questions, and what is held of them from now on."""
    raters = [loaded.raters[expert] for expert in experts]
    pool = _load(places, raters, loaded)
    found = pooled.step(pool, [place.asked.items[place.question] for place in places], experts)
    for (asked, question), finding, held in zip(places, found, stored.item_states(pool), strict=True):
        asked.findings[question], asked.held[question] = finding, held
    muted = {expert for expert in experts if loaded.raters[expert].muted}
    return Stepped(key, places[0].asked.task.vendor_id, experts, muted, pool)


def _load(places: Sequence[Place], raters: Sequence[stored.Rater], loaded: Loaded) -> Pool:
    classes = len(places[0].asked.task.form.labels[places[0].question])
    held = [place.asked.held[place.question] for place in places]
    return stored.load(classes, loaded.state, raters, held, loaded.crowd)


def _paces(
    tasks: Sequence[Task], votes: Mapping[UUID, Sequence[Vote]], before: Mapping[UUID, Pace]
) -> dict[UUID, Pace]:
    """How long answers take in each project, with those that have come."""
    paces = dict(before)
    for task in tasks:
        for vote in votes[task.task_id]:
            if not vote.known and vote.question == 0:
                paces[task.project_id] = paces[task.project_id].with_answer(vote.seconds)
    return paces


def _gained(asked: Sequence[Asked], paces: Mapping[UUID, Pace]) -> list[Gained]:
    """What each project has gained by the step."""
    votes: defaultdict[UUID, int] = defaultdict(int)
    for one in asked:
        votes[one.task.project_id] += sum(len(i.votes) - i.counted - len(i.gone) for i in one.items)
    return [Gained(project_id, more, paces[project_id]) for project_id, more in votes.items()]


def _event(task: Task, scoring: Scoring, result: Result) -> events_pb2.TaskScored:
    return events_pb2.TaskScored(
        task_id=str(task.task_id),
        version=task.version + 1,
        answers_seen=scoring.seen,
        answers_wanted=scoring.outcome.wanted,
        verdict=events_pb2.Verdict.ValueType(scoring.outcome.verdict),
        stop_reason=events_pb2.StopReason.ValueType(scoring.outcome.reason),
        result=result if scoring.final else None,
        confidence=scoring.confidence,
        kind=ANSWER_KIND_WORK,
        judgements=[to_judgement(judgement) for judgement in scoring.judgements],
    )
