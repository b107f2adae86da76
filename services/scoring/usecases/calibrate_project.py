"""Finds how sure the models may be in a project that was fitted: by its gold, that of its vendor, and all there is."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from chassis.db import Row, Transaction
from services.scoring.aggregation.live import temperature
from services.scoring.aggregation.live.pool import Votes
from services.scoring.aggregation.models.crowd import Floats, Ints
from services.scoring.aggregation.tasks.items import parts
from services.scoring.aggregation.tasks.sheet import STATED, Kept, Sheet, unpack
from services.scoring.usecases.pools import PoolKey, Project, Stepped
from services.scoring.usecases.tasks import Form, form_of

_GOLD = """
SELECT task_type, questions, key, answers, stated FROM gold_item WHERE project_id = $1 ORDER BY item_id
"""

_KEEP = """
INSERT INTO calibration (project_id, vendor_id, questions, losses) VALUES ($1, $2, $3, $4)
ON CONFLICT (project_id) DO UPDATE SET questions = excluded.questions, losses = excluded.losses
"""

# The losses at each temperature of a vendor's other projects, and of other vendors': nothing speaks on two levels.
_LOSSES = """
SELECT coalesce(sum(u.loss) FILTER (WHERE c.vendor_id <> $1), 0) AS others,
       coalesce(sum(u.loss) FILTER (WHERE c.vendor_id = $1 AND c.project_id <> $2), 0) AS vendor
FROM calibration c CROSS JOIN LATERAL unnest(c.losses) WITH ORDINALITY AS u (loss, place)
GROUP BY u.place ORDER BY u.place
"""


class _Judged(NamedTuple):
    """Questions of gold, and what they cost at each temperature."""

    questions: int
    losses: Floats


async def calibrate(tx: Transaction, project: Project, fitted: Sequence[Stepped]) -> float | None:
    """The temperature of a locked project; none where no gold of anybody tells one. Keeps what its own gold says."""
    gold = await tx.fetch(_GOLD, project.project_id)
    own = await asyncio.to_thread(_judge, gold, fitted)
    if own.questions:
        await tx.execute(_KEEP, project.project_id, project.vendor_id, own.questions, own.losses.tolist())
    rows = await tx.fetch(_LOSSES, project.vendor_id, project.project_id)
    if not rows:
        return None
    others, vendor = np.array([tuple(row) for row in rows]).T
    return temperature.temperature(own.losses, vendor, others)


def _judge(gold: Sequence[Row], fitted: Sequence[Stepped]) -> _Judged:
    """What all gold of a project costs by its pools."""
    whole = _Judged(0, np.zeros(len(temperature.TEMPERATURES)))
    if not gold:
        return whole
    forms = [form_of(row["task_type"], row["questions"]) for row in gold]
    sheet = unpack([Kept(row["answers"], row["stated"]) for row in gold], [len(form.questions) for form in forms])
    truth = np.frombuffer(b"".join(row["key"] for row in gold), STATED)["label"].astype(np.int64)
    for one in fitted:
        judged = _judge_pool(one, sheet, _of_pool(forms, one.key), truth)
        whole = _Judged(whole.questions + judged.questions, whole.losses + judged.losses)
    return whole


def _of_pool(forms: Sequence[Form], key: PoolKey) -> Ints:
    """For each question 0 if it has the labels of the pool, else -1."""
    return np.array([0 if labels == key.labels else -1 for form in forms for labels in form.pools], dtype=np.int64)


def _judge_pool(one: Stepped, sheet: Sheet, of_pool: Ints, truth: Ints) -> _Judged:
    """What the gold of one pool costs, by the votes of those who are known in it and heard."""
    number = {expert: n for n, expert in enumerate(one.experts) if expert not in one.muted}
    known = np.array([number.get(expert, -1) for expert in sheet.experts], dtype=np.int64)
    nothing = _Judged(0, np.zeros(len(temperature.TEMPERATURES)))
    for part in parts(sheet, sheet.standing(), of_pool):
        worker, item = known[sheet.expert[sheet.answer[part.cast]]], sheet.item[part.cast]
        counts = (worker >= 0) & (truth[item] >= 0)
        used, place = np.unique(item[counts], return_inverse=True)
        starts = np.concatenate(([0], np.cumsum(np.bincount(place, minlength=len(used)))))
        label = sheet.label[part.cast][counts].astype(np.int32)
        none = np.zeros(len(used), dtype=np.int64)
        votes = Votes(np.arange(len(used)), starts, none, worker[counts].astype(np.int32), label)
        if len(used):
            return _Judged(len(used), temperature.losses(temperature.judged_by(one.pool, votes), truth[used]))
    return nothing
