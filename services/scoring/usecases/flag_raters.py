"""Timer: looks for raters who do not look, and for rings who copy, when votes have grown; flags them for people.

A new flag mutes its rater: their projects are fitted anew, without their votes. It is told as `RaterFlagged`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.scoring.v1 import events_pb2

from chassis.db import Row, Transaction
from chassis.ids import new_id
from services.scoring.aggregation.models import rings, uninformed
from services.scoring.aggregation.models.crowd import Ints, crowd
from services.scoring.aggregation.tasks.sheet import Kept, unpack
from services.scoring.context import Context
from services.scoring.domain.flag import LEAST_VOTES, Flag, Signs, flag, ring_flag
from services.scoring.usecases.tasks import form_of

_MOST_TASKS = 40_000
# What a flag names of a ring: as many fit into its event and a reply.
_MOST_OTHERS = 2_000

_DUE = """
SELECT sum(standing)::bigint FROM project_state
HAVING sum(standing) >= (SELECT 1.05 * votes + 20 FROM rater_look)
"""

_LOOKED = "UPDATE rater_look SET votes = $1"

# The tasks that got an answer last, of all vendors.
_NEWEST = """
SELECT task_type, questions, project_id, answers, stated FROM task_state WHERE version > 0
ORDER BY updated_at DESC, task_id LIMIT $1
"""

_GOLD = "SELECT expert_id, sum(correct) AS correct, sum(total) AS total FROM gold_record GROUP BY 1"

# Who was cleared is flagged again only by twice the evidence.
_FLAG = """
INSERT INTO rater_flag (flag_id, expert_id, kind, others, nats, evidence)
SELECT n.flag_id, n.expert_id, n.kind, string_to_array(n.others, ' ')::uuid[], n.nats, n.evidence
FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::text[], $5::double precision[], $6::text[])
     AS n (flag_id, expert_id, kind, others, nats, evidence)
WHERE NOT EXISTS (SELECT FROM rater_flag f WHERE (f.expert_id, f.kind, f.state) = (n.expert_id, n.kind, 2)
                  AND f.nats < n.nats / 2)
ON CONFLICT DO NOTHING
RETURNING flag_id, expert_id, kind, others, evidence, flagged_at, state
"""

_FIT_ANEW = """
WITH locked AS (
    SELECT project_id FROM project_state p
    WHERE EXISTS (SELECT FROM pool_rater r WHERE r.project_id = p.project_id AND r.expert_id = ANY($1::uuid[]))
    ORDER BY project_id FOR NO KEY UPDATE)
UPDATE project_state p SET fit_at = 0 FROM locked l WHERE l.project_id = p.project_id
"""


class Cast(NamedTuple):
    """Votes that stand and name a label, as arrays: numbers of questions, raters, pools (sets of labels), projects."""

    item: Ints
    siblings: Ints
    """Of each question, how many its task has."""
    worker: Ints
    pool: Ints
    label: Ints
    project: Ints
    hold_ms: Ints
    """For how many milliseconds the answer's task was, on its first vote alone; else, and where it is not known, 0."""
    experts: Sequence[UUID]
    classes: Sequence[int]
    """How many labels each pool has."""


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody to be flagged; of a ring with the others of it."""

    expert_id: UUID
    flag: Flag
    others: Sequence[UUID]


async def tick(tx: Transaction, _: Context) -> int:
    """Looks at all raters if there is something new; returns how many were flagged."""
    votes = await tx.fetchval(_DUE)
    if votes is None:
        return 0
    await tx.execute(_LOOKED, votes)
    tasks = await tx.fetch(_NEWEST, _MOST_TASKS)
    gold = {row["expert_id"]: (row["correct"], row["total"]) for row in await tx.fetch(_GOLD)}
    found = await asyncio.to_thread(lambda: _look(_cast(tasks), gold))
    return await _flag(tx, found)


async def mute(tx: Transaction, experts: Sequence[UUID]) -> None:
    """Has the projects of raters fitted anew, with or without their votes, as their flags stand by then."""
    await tx.execute(_FIT_ANEW, list(experts))


def told(row: Row) -> events_pb2.RaterFlagged:
    """A flag as its event."""
    event = events_pb2.RaterFlagged(
        flag_id=str(row["flag_id"]),
        expert_id=str(row["expert_id"]),
        kind=events_pb2.FlagKind.ValueType(row["kind"]),
        state=events_pb2.FlagState.ValueType(row["state"]),
        others=map(str, row["others"]),
        evidence=row["evidence"],
    )
    event.flag_time.FromDatetime(row["flagged_at"])
    return event


async def _flag(tx: Transaction, found: Sequence[Found]) -> int:
    if not found:
        return 0
    rows = await tx.fetch(
        _FLAG,
        [new_id() for _ in found],
        [one.expert_id for one in found],
        [one.flag.kind for one in found],
        [" ".join(map(str, one.others)) for one in found],
        [one.flag.nats for one in found],
        [one.flag.evidence for one in found],
    )
    await mute(tx, [row["expert_id"] for row in rows])
    tx.emit(*map(told, rows))
    return len(rows)


def _cast(tasks: Sequence[Row]) -> Cast:
    """The votes on tasks."""
    forms = [form_of(task["task_type"], task["questions"]) for task in tasks]
    kept = [Kept(task["answers"], task["stated"]) for task in tasks]
    sheet = unpack(kept, [len(form.questions) for form in forms])
    pools: dict[str, int] = {}
    of_items = np.array([pools.setdefault(own, len(pools)) for form in forms for own in form.pools], dtype=np.int64)
    projects: dict[UUID, int] = {}
    of_tasks = np.array([projects.setdefault(task["project_id"], len(projects)) for task in tasks], dtype=np.int64)
    votes = np.flatnonzero(sheet.standing()[sheet.answer] & sheet.human & (sheet.label >= 0))
    answer, item = sheet.answer[votes], sheet.item[votes]
    items, number = np.unique(item, return_inverse=True)
    return Cast(
        number,
        np.repeat(sheet.width, sheet.width)[items],
        sheet.expert[answer],
        of_items[item],
        sheet.label[votes],
        of_tasks[sheet.task[answer]],
        np.where(sheet.question[votes] == 0, sheet.hold_ms[answer], 0),
        sheet.experts,
        [labels.count(",") + 1 for labels in pools],
    )


def _look(cast: Cast, gold: Mapping[UUID, tuple[float, float]]) -> list[Found]:
    """Everybody who is to be flagged by these votes."""
    if not len(cast.item):
        return []
    found = _rings(cast)
    for expert, (votes, looks, cares, pace) in zip(cast.experts, _signs(cast), strict=True):
        right, whole = gold.get(expert, (0.0, 0.0))
        if called := flag(Signs(int(votes), looks, cares, right, whole, pace)):
            found.append(Found(expert, called, ()))
    return found


def _rings(cast: Cast) -> list[Found]:
    """Members of rings, who copy over all projects alike: labels of different sets are different labels."""
    named, labels = np.unique(cast.pool * max(cast.classes) + cast.label, return_inverse=True)
    votes = crowd(cast.item, cast.worker, labels, workers=len(cast.experts), classes=len(named))
    found = []
    for ring in rings.rings(votes, rings.counts_of(cast.siblings)):
        members = [cast.experts[n] for n in ring]
        called = ring_flag(len(members), rings.LEAST_COMMON)
        found += [Found(one, called, [other for other in members if other != one][:_MOST_OTHERS]) for one in members]
    return found


def _signs(cast: Cast) -> list[tuple[float, float, float, float | None]]:
    """For each rater the votes, the evidence over all sets of labels, and the pace."""
    total = np.zeros((3, len(cast.experts)))
    for pool, classes in enumerate(cast.classes):
        own = cast.pool == pool
        items = np.unique(cast.item[own], return_inverse=True)[1]
        votes = crowd(items, cast.worker[own], cast.label[own], workers=len(cast.experts), classes=classes)
        found = uninformed.evidence(votes)
        total += (found.votes, found.looks, found.cares)
    return list(zip(*total.tolist(), _paces(cast), strict=True))


def _paces(cast: Cast) -> list[float | None]:
    """How each rater's log time differs from others' on the same projects, in standard deviations of an answer."""
    workers, timed = len(cast.experts), cast.hold_ms > 0
    if np.count_nonzero(timed) < 2 * LEAST_VOTES:
        return [None] * workers
    project = np.unique(cast.project[timed], return_inverse=True)[1]
    logs, who = np.log(cast.hold_ms[timed]), cast.worker[timed]
    middle = np.array([np.median(logs[project == one]) for one in range(project.max() + 1)])
    left = logs - middle[project]
    spread = max(1.4826 * float(np.median(np.abs(left - np.median(left)))), 0.1)
    answers = np.bincount(who, minlength=workers)
    mean = np.bincount(who, weights=left, minlength=workers) / np.maximum(answers, 1) / spread
    return [float(z) if n >= LEAST_VOTES // 2 else None for z, n in zip(mean, answers, strict=True)]
