"""Timer: keeps how good experts are known to be up to date, tells it where it has moved, and counts holders of claims.

Looked at are experts whose records have changed, and every expert once a day, as votes count less with time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import numpy as np
from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import Domain, TaskType
from scipy.special import betaincinv

from chassis.db import Row, Transaction
from services.scoring.context import Context
from services.scoring.domain.credentials import shown
from services.scoring.domain.drift import Drift, drifted
from services.scoring.domain.skill import Assumed, Tally, Told, aged, is_material, skill, worth_of
from services.scoring.usecases.count_claims import Counted, count_claims

MOST = 1000
"""Experts that one transaction looks at."""
_AGAIN = timedelta(days=1)
_LOWER, _UPPER = 0.05, 0.95

# One statement, so that gains and records are of one moment: what is not in the ones is not in the others.
_LOOK = """
WITH changed AS (SELECT expert_id FROM skill_gain GROUP BY expert_id ORDER BY expert_id LIMIT $1),
old AS (SELECT DISTINCT expert_id FROM skill WHERE looked_at < now() - $2::interval ORDER BY expert_id LIMIT $1),
due AS MATERIALIZED (SELECT expert_id FROM changed UNION SELECT expert_id FROM old),
taken AS (DELETE FROM skill_gain g USING due d WHERE g.expert_id = d.expert_id RETURNING g.*),
gain AS (
    SELECT expert_id, task_type, domain, sum(correct) AS correct, sum(expected) AS expected, sum(total) AS total
    FROM taken GROUP BY expert_id, task_type, domain),
voted AS (
    SELECT r.expert_id, s.task_type, s.domain, sum(r.correct) AS correct, sum(r.total) AS total,
           sum(r.total * usual_rate(p.correct - r.correct, p.total - r.total)) AS expected
    FROM due JOIN pool_rater r USING (expert_id) JOIN pool p USING (project_id, labels)
    JOIN project_state s USING (project_id)
    GROUP BY r.expert_id, s.task_type, s.domain),
gold AS (SELECT g.* FROM due JOIN gold_record g USING (expert_id)),
known AS (SELECT k.* FROM due JOIN skill k USING (expert_id))
SELECT expert_id, task_type, domain,
       coalesce(v.correct, 0) + coalesce(g.correct, 0) AS correct,
       coalesce(v.expected, 0) + coalesce(g.total, 0) * usual_rate(0, 0) AS expected,
       coalesce(v.total, 0) + coalesce(g.total, 0) AS total,
       coalesce(g.correct, 0) AS gold_correct, coalesce(g.total, 0) AS gold_total,
       coalesce(n.correct, 0) AS gained_correct, coalesce(n.expected, 0) AS gained_expected,
       coalesce(n.total, 0) AS gained_total,
       coalesce(k.correct, 0) AS held_correct, coalesce(k.expected, 0) AS held_expected,
       coalesce(k.total, 0) AS held_total, coalesce(k.read_correct, 0) AS read_correct,
       coalesce(k.read_expected, 0) AS read_expected, coalesce(k.read_total, 0) AS read_total,
       coalesce(extract(epoch FROM now() - k.looked_at)::float8 / 86400, 0) AS days,
       coalesce(k.drift, 0) AS drift, coalesce(k.version, 0) AS version, k.mean, k.lower, k.upper,
       coalesce(k.alarm, false) AS alarm
FROM voted v FULL JOIN gold g USING (expert_id, task_type, domain) FULL JOIN gain n USING (expert_id, task_type, domain)
FULL JOIN known k USING (expert_id, task_type, domain)
ORDER BY expert_id, task_type, domain
"""

_KEEP = """
UPDATE skill k
SET correct = n.correct, expected = n.expected, total = n.total, read_correct = n.read_correct,
    read_expected = n.read_expected, read_total = n.read_total, drift = n.drift, looked_at = now()
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
            $8::float8[], $9::float8[], $10::float8[])
     AS n (expert_id, task_type, domain, correct, expected, total, read_correct, read_expected, read_total, drift)
WHERE (k.expert_id, k.task_type, k.domain) = (n.expert_id, n.task_type, n.domain)
"""

_KEEP_AS_TOLD = """
INSERT INTO skill (expert_id, task_type, domain, correct, expected, total, read_correct, read_expected, read_total,
                   drift, mean, lower, upper, alarm, version, gold_correct, gold_total, evidence, looked_at, updated_at)
SELECT n.*, n.total, now(), now()
FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::float8[], $5::float8[], $6::float8[], $7::float8[],
            $8::float8[], $9::float8[], $10::float8[], $11::float8[], $12::float8[], $13::float8[], $14::boolean[],
            $15::bigint[], $16::float8[], $17::float8[])
     AS n (expert_id, task_type, domain, correct, expected, total)
ON CONFLICT (expert_id, task_type, domain) DO UPDATE
SET correct = excluded.correct, expected = excluded.expected, total = excluded.total,
    read_correct = excluded.read_correct, read_expected = excluded.read_expected, read_total = excluded.read_total,
    drift = excluded.drift, mean = excluded.mean, lower = excluded.lower, upper = excluded.upper,
    alarm = excluded.alarm, version = excluded.version, gold_correct = excluded.gold_correct,
    gold_total = excluded.gold_total, evidence = excluded.evidence, looked_at = excluded.looked_at,
    updated_at = excluded.updated_at
"""


class _Looked(NamedTuple):
    """An expert's record in a task type and domain as it is now, with the row as it was read."""

    row: Row
    record: Tally
    drift: Drift


class _Known(NamedTuple):
    """The same, with the skill that follows."""

    looked: _Looked
    now: Told

    @property
    def before(self) -> Told | None:
        """As told last."""
        row = self.looked.row
        return Told(row["mean"], row["lower"], row["upper"], row["alarm"]) if row["version"] else None


async def tick(tx: Transaction, _: Context) -> int:
    """Looks at experts who are due; returns how many they were if there may be more, else 0: the rest can wait."""
    by_expert: defaultdict[UUID, list[_Looked]] = defaultdict(list)
    for row in await tx.fetch(_LOOK, MOST, _AGAIN):
        by_expert[row["expert_id"]].append(_look(row))
    experts = _known(list(by_expert.values()))
    told = [some for some in experts if any(is_material(known.before, known.now) for known in some)]
    moved = {some[0].looked.row["expert_id"] for some in told}
    quiet = [known for some in experts if some[0].looked.row["expert_id"] not in moved for known in some]
    if quiet:
        await tx.execute(_KEEP, *zip(*map(_record_columns, quiet), strict=True))
    if told:
        rows = [(*_record_columns(known), *_told_columns(known, _next(some))) for some in told for known in some]
        await tx.execute(_KEEP_AS_TOLD, *zip(*rows, strict=True))
        tx.emit(*map(_event, told))
    await count_claims(tx, [_counted(looked) for some in by_expert.values() for looked in some])
    return len(experts) if len(experts) >= MOST else 0


def _counted(looked: _Looked) -> Counted:
    row = looked.row
    return Counted(row["expert_id"], row["task_type"], row["domain"], shown(looked.record))


def _look(row: Row) -> _Looked:
    """Takes in what the record has gained, and how it was judged anew."""
    held = Tally(row["held_correct"], row["held_expected"], row["held_total"])
    read = Tally(row["read_correct"], row["read_expected"], row["read_total"])
    gained = Tally(row["gained_correct"], row["gained_expected"], row["gained_total"])
    record = aged(held, read, Tally(row["correct"], row["expected"], row["total"]), gained, row["days"])
    return _Looked(row, record, drifted(Drift(row["drift"], row["alarm"]), held, gained))


def _known(experts: Sequence[Sequence[_Looked]]) -> list[list[_Known]]:
    """The skills of experts: each from all of the expert's records."""
    skills = np.array([_skill(looked, some) for some in experts for looked in some], dtype=np.float64).reshape(-1, 2)
    right, wrong = skills.T
    means = right / (right + wrong)
    bounds = zip(betaincinv(right, wrong, _LOWER).tolist(), betaincinv(right, wrong, _UPPER).tolist(), strict=True)
    figures = iter(list(zip(means.tolist(), bounds, strict=True)))
    return [
        [
            _Known(looked, Told(mean, *bound, looked.drift.alarm))
            for looked, (mean, bound) in zip(some, figures, strict=False)
        ]
        for some in experts
    ]


def _skill(looked: _Looked, all_of_them: Sequence[_Looked]) -> Assumed:
    others = [other for other in all_of_them if other is not looked]
    return skill(looked.record, [other.record.elsewhere(_worth(looked.row, other.row)) for other in others])


def _worth(here: Row, there: Row) -> float:
    same_type, same_domain = here["task_type"] == there["task_type"], here["domain"] == there["domain"]
    return worth_of(same_type=same_type, same_domain=same_domain)


def _next(some: Sequence[_Known]) -> int:
    """The version in which an expert's skills are told."""
    return 1 + max(int(known.looked.row["version"]) for known in some)


def _record_columns(known: _Known) -> tuple[object, ...]:
    row, record, drift = known.looked
    key = row["expert_id"], row["task_type"], row["domain"]
    return (*key, *record, row["correct"], row["expected"], row["total"], drift.nats)


def _told_columns(known: _Known, version: int) -> tuple[object, ...]:
    row = known.looked.row
    return (*known.now, version, row["gold_correct"], row["gold_total"])


def _event(some: Sequence[_Known]) -> events_pb2.SkillChanged:
    return events_pb2.SkillChanged(
        expert_id=str(some[0].looked.row["expert_id"]),
        version=_next(some),
        skills=[
            events_pb2.Skill(
                task_type=TaskType.ValueType(row["task_type"]),
                domain=Domain.ValueType(row["domain"]),
                mean=now.mean,
                lower=now.lower,
                upper=now.upper,
                evidence=record.total,
                gold_correct=int(row["gold_correct"]),
                gold_total=int(row["gold_total"]),
                alarm=now.alarm,
            )
            for (row, record, _), now in some
        ],
    )
