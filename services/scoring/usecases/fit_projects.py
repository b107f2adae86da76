"""Timer: scores a project anew as a whole, when its votes have grown or somebody asks for it.

Then raters and classes are known as the batch knows them, from all votes at once. An open task that is sure enough now
is closed; a closed one gets a new version where what is found of it has changed. Judgements of answers follow in that
version: tasking lets them raise what is paid, and never lower it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from uuid import UUID

import numpy as np

from chassis.db import Transaction
from chassis.ids import new_id
from services.scoring.aggregation.live import stored
from services.scoring.aggregation.live.pool import Pool
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import Crowd, Ints, crowd, tally
from services.scoring.aggregation.models.prior import Prior
from services.scoring.aggregation.tasks.sheet import Sheet, unpack
from services.scoring.context import Context
from services.scoring.domain.pace import Pace
from services.scoring.domain.scoring import Scoring
from services.scoring.domain.skill import Assumed
from services.scoring.domain.stopping import Verdict
from services.scoring.usecases import score_tasks
from services.scoring.usecases.assume_raters import Rating, assume, flagged
from services.scoring.usecases.calibrate_project import calibrate
from services.scoring.usecases.pools import PoolKey, Project, Stepped, replace_pools
from services.scoring.usecases.tasks import Task, found_bytes, hold, load_tasks, load_tasks_of

_DUE = """
SELECT project_id, vendor_id, task_type, domain, paced, pace_logs, pace_squares FROM project_state
WHERE standing >= fit_at ORDER BY project_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""

_DONE = """
UPDATE project_state SET standing = $2, fit_at = $3, fits = fits + 1 WHERE project_id = $1
"""

_ANSWER_REQUESTS = """
UPDATE rescore SET done_at = now(), votes = $2, tasks = $3, changed = $4 WHERE project_id = $1 AND done_at IS NULL
"""

_KEEP = """
INSERT INTO rescore (rescore_id, project_id, vendor_id, requested_by, done_at, votes, tasks, changed)
VALUES ($1, $2, $3, '', now(), $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class _Fitted:
    """A pool fitted anew; `items` are the numbers of its questions among those of all tasks."""

    key: PoolKey
    experts: Sequence[UUID]
    items: Ints
    votes: Crowd
    pool: Pool


async def tick(tx: Transaction, _: Context) -> int:
    """Fits one project that is due; returns how many it were."""
    found = await tx.fetchrow(_DUE)
    if found is None:
        return 0
    row = tuple(found)
    await fit(tx, Project(*row[:4]), Pace(*row[4:]))
    return 1


async def fit(tx: Transaction, project: Project, pace: Pace) -> None:
    """Fits a locked project, writes all of its state, and tells what has changed."""
    tasks = await load_tasks_of(tx, project.project_id)
    sheet = await asyncio.to_thread(_sheet_of, tasks)
    rated = [Rating(project.project_id, expert, project.task_type, project.domain) for expert in sheet.experts]
    priors = {expert: assumed for (_, expert), assumed in (await assume(tx, rated)).items()}
    muted = await flagged(tx, sheet.experts)
    fitted = await asyncio.to_thread(_fit_all, tasks, sheet, priors, muted)
    held = _held(tasks, sheet, fitted)
    stepped = [Stepped(f.key, project.vendor_id, f.experts, muted, f.pool) for f in fitted]
    temperature = await calibrate(tx, project, stepped)
    await replace_pools(tx, project.project_id, stepped, temperature)
    await hold(tx, [task.task_id for task in tasks], held)
    changed = await _tell(tx, [task.task_id for task in _to_look_at(tasks, sheet, fitted)], pace)
    await _note(tx, project, sum(one.votes.votes for one in fitted), len(tasks), changed)


def _sheet_of(tasks: Sequence[Task]) -> Sheet:
    return unpack([task.kept for task in tasks], [len(task.form.questions) for task in tasks])


def _fit_all(
    tasks: Sequence[Task], sheet: Sheet, priors: Mapping[UUID, Assumed], muted: Collection[UUID]
) -> list[_Fitted]:
    """Fits each pool of the project, from all votes that stand and name a label."""
    keys: dict[PoolKey, int] = {}
    pools = [keys.setdefault(PoolKey(t.project_id, own), len(keys)) for t in tasks for own in t.form.pools]
    cast = np.flatnonzero(sheet.standing()[sheet.answer] & (sheet.label >= 0))
    pool = np.array(pools, dtype=np.int64)[sheet.item[cast]]
    return [
        _fit_pool(key, sheet, own, priors, muted) for key, number in keys.items() if len(own := cast[pool == number])
    ]


def _fit_pool(
    key: PoolKey, sheet: Sheet, cast: Ints, priors: Mapping[UUID, Assumed], muted: Collection[UUID]
) -> _Fitted:
    items, item = np.unique(sheet.item[cast], return_inverse=True)
    numbers, worker = np.unique(sheet.expert[sheet.answer[cast]], return_inverse=True)
    named = [sheet.experts[number] for number in numbers.tolist()]
    # In the order of ids: the same votes are the same sums, in whatever order they came.
    order = sorted(range(len(named)), key=named.__getitem__)
    experts = [named[n] for n in order]
    worker = np.argsort(order)[worker]
    heard = ~np.array([expert in muted for expert in experts])[worker]
    label = sheet.label[cast]
    classes = key.labels.count(",") + 1
    votes = crowd(item[heard], worker[heard], label[heard], tasks=len(items), workers=len(experts), classes=classes)
    pool = Pool.empty(len(items), len(experts), classes)
    right, wrong = np.array([priors[expert] for expert in experts], dtype=np.float64).T.copy()
    pool.coin.prior = Prior(right, wrong)
    pool.fit(votes)
    return _Fitted(key, experts, items, votes, pool)


def _held(tasks: Sequence[Task], sheet: Sheet, fitted: Sequence[_Fitted]) -> list[bytes]:
    """What is held of each task from now on."""
    parts = [bytes(stored.item_bytes(len(labels))) for task in tasks for labels in task.form.labels]
    for one in fitted:
        for item, state in zip(one.items.tolist(), stored.item_states(one.pool), strict=True):
            parts[item] = state
    ends = np.concatenate(([0], np.cumsum(sheet.width))).tolist()
    return [b"".join(parts[a:b]) for a, b in pairwise(ends)]


def _to_look_at(tasks: Sequence[Task], sheet: Sheet, fitted: Sequence[_Fitted]) -> list[Task]:
    """Tasks of which something else may follow now: those that are open, and those with another label in front."""
    chosen = np.full(int(sheet.width.sum()), -1)
    begins = (np.cumsum(sheet.width) - sheet.width).tolist()
    for task, begin in zip(tasks, begins, strict=True):
        found = np.frombuffer(task.found, "<i2")
        chosen[begin : begin + len(found)] = found
    wanted = {place for place, task in enumerate(tasks) if not task.closed or task.verdict == Verdict.UNRESOLVED}
    of_item = np.repeat(np.arange(len(tasks)), sheet.width)
    for one in fitted:
        members = one.pool.members(np.arange(len(one.items)), tally(one.votes))
        leading = mixture.calibrated(members, None, DEFAULT).argmax(axis=1)
        wanted.update(of_item[one.items[leading != chosen[one.items]]].tolist())
    return [tasks[place] for place in sorted(wanted)]


async def _tell(tx: Transaction, task_ids: Sequence[UUID], pace: Pace) -> int:
    """Scores tasks by what their pools hold now; writes and tells those of which something else follows."""
    tasks = await load_tasks(tx, task_ids)
    asked, paces = score_tasks.ask(tasks, _sheet_of(tasks)), {task.project_id: pace for task in tasks}
    await score_tasks.look(tx, asked)
    scorings = score_tasks.outcomes(asked, paces)
    changed = {n: scoring for n, scoring in enumerate(scorings) if _changed(tasks[n], scoring)}
    await score_tasks.write(tx, score_tasks.follow(asked, changed, {}))
    return len(changed)


def _changed(task: Task, scoring: Scoring) -> bool:
    """Whether something follows that was not told. That a result is less sure than it was is nothing to tell."""
    verdict = scoring.outcome.verdict
    if not task.closed:
        return verdict is not Verdict.MORE_WANTED
    other = found_bytes(scoring.findings) != task.found
    return other or (task.verdict == Verdict.UNRESOLVED and verdict is Verdict.RESOLVED)


async def _note(tx: Transaction, project: Project, votes: int, tasks: int, changed: int) -> None:
    """Says when it is due again, and keeps that it was done."""
    await tx.execute(_DONE, project.project_id, votes, DEFAULT.fit_at(votes))
    answered = await tx.execute(_ANSWER_REQUESTS, project.project_id, votes, tasks, changed)
    if answered == "UPDATE 0":
        await tx.execute(_KEEP, new_id(), project.project_id, project.vendor_id, votes, tasks, changed)
