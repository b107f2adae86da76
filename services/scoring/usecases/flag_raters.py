"""Timer: looks for raters who do not look, and for rings who copy, when votes have grown; flags them for people.

A new flag mutes its rater: their projects are fitted anew, without their votes. It is told as `RaterFlagged`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.scoring.v1 import events_pb2

from chassis.db import Row, Transaction
from chassis.ids import new_id
from services.scoring.aggregation import rings, uninformed
from services.scoring.aggregation.crowd import Crowd, Ints, crowd, numbered
from services.scoring.context import Context
from services.scoring.domain.flag import LEAST_VOTES, Flag, Signs, flag, ring_flag
from services.scoring.usecases.tasks import form_of

_MOST_VOTES = 200_000

_DUE = """
SELECT sum(standing)::bigint FROM project_state
HAVING sum(standing) >= (SELECT 1.05 * votes + 20 FROM rater_look)
"""

_LOOKED = "UPDATE rater_look SET votes = $1"

# The newest votes, of all vendors. Of an expert's answers to a task the latest stands.
_VOTES = """
SELECT DISTINCT ON (v.task_id, v.question, v.expert_id)
       v.task_id, v.question, v.expert_id, v.label, v.seconds, t.project_id
FROM (SELECT * FROM vote WHERE label IS NOT NULL ORDER BY submitted_at DESC LIMIT $1) AS v
JOIN task_state t USING (task_id)
ORDER BY v.task_id, v.question, v.expert_id, v.submitted_at DESC, v.answer_id DESC
"""

_FORMS = "SELECT task_id, task_type, questions FROM task_state WHERE task_id = ANY($1::uuid[])"

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
    """A standing vote that names a label."""

    task_id: UUID
    question: int
    expert_id: UUID
    label: int
    seconds: int
    project_id: UUID


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
    cast = [Cast(*row) for row in await tx.fetch(_VOTES, _MOST_VOTES)]
    forms = await tx.fetch(_FORMS, list({vote.task_id for vote in cast}))
    pools = {row["task_id"]: form_of(row["task_type"], row["questions"]).pools for row in forms}
    gold = {row["expert_id"]: (row["correct"], row["total"]) for row in await tx.fetch(_GOLD)}
    found = await asyncio.to_thread(_look, cast, pools, gold)
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


def _look(
    cast: Sequence[Cast], pools: Mapping[UUID, Sequence[str]], gold: Mapping[UUID, tuple[float, float]]
) -> list[Found]:
    """Everybody who is to be flagged by these votes."""
    if not cast:
        return []
    worker, experts = numbered([str(vote.expert_id) for vote in cast])
    labels = [pools[vote.task_id][vote.question] for vote in cast]
    found = _rings(cast, worker, labels, experts)
    signs = _signs(cast, worker, labels, len(experts))
    for n, expert in enumerate(map(UUID, experts)):
        votes, looks, cares, pace = signs[n]
        right, whole = gold.get(expert, (0.0, 0.0))
        if called := flag(Signs(int(votes), looks, cares, right, whole, pace)):
            found.append(Found(expert, called, ()))
    return found


def _rings(cast: Sequence[Cast], worker: Ints, labels: Sequence[str], experts: Sequence[str]) -> list[Found]:
    """Members of rings, who copy over all projects alike: labels of different sets are different labels."""
    named, words = numbered([f"{some}/{vote.label}" for some, vote in zip(labels, cast, strict=True)])
    votes = crowd(_items(cast), worker, named, workers=len(experts), classes=len(words))
    found = []
    for ring in rings.rings(votes):
        members = [UUID(experts[n]) for n in ring]
        called = ring_flag(len(members), LEAST_VOTES)
        found += [Found(one, called, [other for other in members if other != one]) for one in members]
    return found


def _signs(
    cast: Sequence[Cast], worker: Ints, labels: Sequence[str], workers: int
) -> list[tuple[float, float, float, float | None]]:
    """For each rater the votes, the evidence over all sets of labels, and the pace."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for n, some in enumerate(labels):
        rows[some].append(n)
    total = np.zeros((3, workers))
    for some, places in rows.items():
        votes = _crowd_of([cast[n] for n in places], worker[places], workers, len(some.split(",")))
        found = uninformed.evidence(votes)
        total += (found.votes, found.looks, found.cares)
    return list(zip(*total.tolist(), _paces(cast, worker, workers), strict=True))


def _crowd_of(cast: Sequence[Cast], worker: Ints, workers: int, classes: int) -> Crowd:
    label = np.array([vote.label for vote in cast], dtype=np.int64)
    return crowd(_items(cast), worker, label, workers=workers, classes=classes)


def _items(cast: Sequence[Cast]) -> Ints:
    return numbered([f"{vote.task_id}/{vote.question}" for vote in cast])[0]


def _paces(cast: Sequence[Cast], worker: Ints, workers: int) -> list[float | None]:
    """How each rater's log time differs from others' on the same projects, in standard deviations of an answer."""
    timed = [n for n, vote in enumerate(cast) if vote.question == 0 and vote.seconds > 0]
    if len(timed) < 2 * LEAST_VOTES:
        return [None] * workers
    project, _ = numbered([str(cast[n].project_id) for n in timed])
    logs, who = np.log([cast[n].seconds for n in timed]), worker[timed]
    middle = np.array([np.median(logs[project == one]) for one in range(project.max() + 1)])
    left = logs - middle[project]
    spread = max(1.4826 * float(np.median(np.abs(left - np.median(left)))), 0.1)
    answers = np.bincount(who, minlength=workers)
    mean = np.bincount(who, weights=left, minlength=workers) / np.maximum(answers, 1) / spread
    return [float(z) if n >= LEAST_VOTES // 2 else None for z, n in zip(mean, answers, strict=True)]
