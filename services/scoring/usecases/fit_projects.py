"""Timer: scores a project anew as a whole, when its votes have grown or somebody asks for it.

Then raters and classes are known as the batch knows them, from all votes at once. An open task that is sure enough now
is closed; a closed one gets a new version where what is found of it has changed. Judgements of answers follow in that
version: tasking lets them raise what is paid, and never lower it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np

from chassis.db import Transaction
from chassis.ids import new_id
from services.scoring.aggregation import mixture, stored
from services.scoring.aggregation.configuration import DEFAULT
from services.scoring.aggregation.crowd import Crowd, Ints, crowd, tally
from services.scoring.aggregation.pool import Pool
from services.scoring.aggregation.prior import Prior
from services.scoring.context import Context
from services.scoring.domain.pace import Pace
from services.scoring.domain.skill import Assumed
from services.scoring.domain.stopping import Verdict
from services.scoring.usecases import score_tasks
from services.scoring.usecases.assume_raters import Rating, assume, flagged
from services.scoring.usecases.pools import PoolKey, Project, Stepped, replace_pools
from services.scoring.usecases.tasks import Task, found_bytes, hold, load_tasks, load_tasks_of
from services.scoring.usecases.votes import Standing, load_standing, load_votes

if TYPE_CHECKING:
    pass

_DUE = """
SELECT project_id, vendor_id, task_type, domain, timed, logs, squares FROM project_state
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
    """A pool fitted anew: its items are questions of tasks, by the tasks' places."""

    key: PoolKey
    experts: Sequence[UUID]
    items: Sequence[tuple[int, int]]
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
    votes = await load_standing(tx, project.project_id)
    experts = list(dict.fromkeys(vote.expert_id for vote in votes))
    rated = [Rating(project.project_id, expert, project.task_type, project.domain) for expert in experts]
    priors = {expert: assumed for (_, expert), assumed in (await assume(tx, rated)).items()}
    muted = await flagged(tx, experts)
    fitted = await asyncio.to_thread(_fit_all, tasks, votes, priors, muted)
    held = _held(tasks, fitted)
    stepped = [Stepped(f.key, project.vendor_id, f.experts, muted, f.pool) for f in fitted]
    await replace_pools(tx, project.project_id, stepped)
    await hold(tx, [task.task_id for task in tasks], held)
    changed = await _tell(tx, [task.task_id for task in _to_look_at(tasks, fitted)], pace)
    await _note(tx, project, sum(one.votes.votes for one in fitted), len(tasks), changed)


def _fit_all(
    tasks: Sequence[Task], votes: Sequence[Standing], priors: Mapping[UUID, Assumed], muted: Collection[UUID]
) -> list[_Fitted]:
    """Fits each pool of the project."""
    place = {task.task_id: n for n, task in enumerate(tasks)}
    by_pool: defaultdict[PoolKey, list[tuple[int, Standing]]] = defaultdict(list)
    for vote in votes:
        task = tasks[place[vote.task_id]]
        by_pool[PoolKey(task.project_id, task.form.pools[vote.question])].append((place[vote.task_id], vote))
    return [_fit_pool(key, some, priors, muted) for key, some in by_pool.items()]


def _fit_pool(
    key: PoolKey,
    votes: Sequence[tuple[int, Standing]],
    priors: Mapping[UUID, Assumed],
    muted: Collection[UUID],
) -> _Fitted:
    items = {item: n for n, item in enumerate(dict.fromkeys((place, vote.question) for place, vote in votes))}
    experts = {expert: n for n, expert in enumerate(sorted({vote.expert_id for _, vote in votes}))}
    classes = len(key.labels.split(","))
    rows: Ints = np.array(
        [
            (items[place, vote.question], experts[vote.expert_id], vote.label)
            for place, vote in votes
            if vote.expert_id not in muted
        ],
        dtype=np.int64,
    )
    cast = crowd(*rows.reshape(-1, 3).T, tasks=len(items), workers=len(experts), classes=classes)
    pool = Pool.empty(len(items), len(experts), classes)
    right, wrong = np.array([priors[expert] for expert in experts], dtype=np.float64).T.copy()
    pool.coin.prior = Prior(right, wrong)
    pool.fit(cast)
    return _Fitted(key, list(experts), list(items), cast, pool)


def _held(tasks: Sequence[Task], fitted: Sequence[_Fitted]) -> list[bytes]:
    """What is held of each task from now on."""
    parts = [[bytes(stored.item_bytes(len(labels))) for labels in task.form.labels] for task in tasks]
    for one in fitted:
        for (place, question), state in zip(one.items, stored.item_states(one.pool), strict=True):
            parts[place][question] = state
    return [b"".join(some) for some in parts]


def _to_look_at(tasks: Sequence[Task], fitted: Sequence[_Fitted]) -> list[Task]:
    """Tasks of which something else may follow now: those that are open, and those with another label in front."""
    chosen = [list(np.frombuffer(task.found, "<i2")) for task in tasks]
    wanted = {place for place, task in enumerate(tasks) if not task.closed or task.verdict == Verdict.UNRESOLVED}
    for one in fitted:
        members = one.pool.members(np.arange(len(one.items)), tally(one.votes))
        leading = mixture.calibrated(members, None, DEFAULT).argmax(axis=1)
        for (place, question), label in zip(one.items, leading.tolist(), strict=True):
            if question >= len(chosen[place]) or chosen[place][question] != label:
                wanted.add(place)
    return [tasks[place] for place in sorted(wanted)]


async def _tell(tx: Transaction, task_ids: Sequence[UUID], pace: Pace) -> int:
    """Scores tasks by what their pools hold now; writes and tells those of which something else follows."""
    tasks, votes = await load_tasks(tx, task_ids), await load_votes(tx, task_ids)
    asked = [score_tasks.ask(task, votes[task.task_id], pace) for task in tasks if votes.get(task.task_id)]
    await score_tasks.look(tx, asked)
    changed = [one for one in asked if _changed(one)]
    await score_tasks.write(tx, changed, {})
    return len(changed)


def _changed(one: score_tasks.Asked) -> bool:
    """Whether something follows that was not told. That a result is less sure than it was is nothing to tell."""
    verdict = score_tasks.outcome_of(one).outcome.verdict
    if not one.task.closed:
        return verdict is not Verdict.MORE_WANTED
    other = found_bytes([finding.label for finding in one.findings]) != one.task.found
    return other or (one.task.verdict == Verdict.UNRESOLVED and verdict is Verdict.RESOLVED)


async def _note(tx: Transaction, project: Project, votes: int, tasks: int, changed: int) -> None:
    """Says when it is due again, and keeps that it was done."""
    await tx.execute(_DONE, project.project_id, votes, DEFAULT.fit_at(votes))
    answered = await tx.execute(_ANSWER_REQUESTS, project.project_id, votes, tasks, changed)
    if answered == "UPDATE 0":
        await tx.execute(_KEEP, new_id(), project.project_id, project.vendor_id, votes, tasks, changed)
