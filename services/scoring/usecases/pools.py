"""Reads and writes what the live engine keeps of projects: their locks, their pools, and the raters in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple
from uuid import UUID

from chassis.db import Transaction
from services.scoring.aggregation.live import stored
from services.scoring.aggregation.live.pool import Pool
from services.scoring.aggregation.live.stored import Rater
from services.scoring.aggregation.live.temperature import at
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration
from services.scoring.domain.pace import Pace

_MAKE = """
INSERT INTO project_state (project_id, vendor_id, task_type, domain)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::smallint[]) AS n (project_id) ORDER BY project_id
ON CONFLICT DO NOTHING
"""

# In the order of ids, so that two transactions with projects in common wait for each other and never in a ring.
_LOCK = """
SELECT project_id, paced, pace_logs, pace_squares FROM project_state WHERE project_id = ANY($1::uuid[])
ORDER BY project_id FOR NO KEY UPDATE
"""

# A pool's own row has no expert.
_LOAD = """
SELECT n.pool, NULL::uuid AS expert_id, p.correct, p.total, p.temperature, 0, p.state, false
FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS n (project_id, labels, pool)
JOIN pool p USING (project_id, labels)
UNION ALL
SELECT n.pool, r.expert_id, r.correct, r.total, r.prior_right, r.prior_wrong, r.state, r.muted
FROM unnest($3::integer[], $4::uuid[]) AS n (pool, expert_id)
JOIN pool_rater r
    ON (r.project_id, r.labels, r.expert_id) = (($1::uuid[])[n.pool], ($2::text[])[n.pool], n.expert_id)
"""

# What a rater's record gains by it is for their skill; fitted anew, it gains nothing, but is to be looked at.
_WRITE = """
WITH counted AS (
    UPDATE project_state p
    SET standing = p.standing + n.gained, paced = n.timed, pace_logs = n.logs, pace_squares = n.squares
    FROM unnest($2::gained_votes[]) AS n WHERE p.project_id = n.project_id),
stepped AS (SELECT * FROM unnest($1::stepped_pool[]) WITH ORDINALITY AS s),
own AS (
    INSERT INTO pool (project_id, labels, vendor_id, correct, total, state)
    SELECT project_id, labels, vendor_id, correct, total, state FROM stepped
    ON CONFLICT (project_id, labels)
    DO UPDATE SET correct = excluded.correct, total = excluded.total, state = excluded.state
    RETURNING project_id, labels, correct, total),
written AS (
    INSERT INTO pool_rater (project_id, labels, expert_id, vendor_id, correct, total, prior_right, prior_wrong, state,
                            muted)
    SELECT s.project_id, s.labels, n.expert_id, s.vendor_id, n.correct, n.total, n.prior_right, n.prior_wrong, n.state,
           n.muted
    FROM unnest($3::stepped_rater[]) AS n JOIN stepped s ON s.ordinality = n.pool
    ON CONFLICT (project_id, labels, expert_id)
    DO UPDATE SET correct = excluded.correct, total = excluded.total, prior_right = excluded.prior_right,
                  prior_wrong = excluded.prior_wrong, state = excluded.state
    RETURNING project_id, labels, expert_id, new.correct AS correct, new.total AS total,
              CASE WHEN $4 THEN 0 ELSE new.correct - coalesce(old.correct, 0) END AS gained_correct,
              CASE WHEN $4 THEN 0 ELSE new.total - coalesce(old.total, 0) END AS gained)
INSERT INTO skill_gain (expert_id, task_type, domain, correct, expected, total)
SELECT w.expert_id, s.task_type, s.domain, w.gained_correct,
       w.gained * usual_rate(o.correct - w.correct, o.total - w.total), w.gained
FROM written w JOIN project_state s USING (project_id) JOIN own o USING (project_id, labels)
WHERE NOT is_model(w.expert_id)
"""

_HEAT = "UPDATE pool SET temperature = $2 WHERE project_id = $1"

# What is read of a project to be fitted is all there is: nothing of before stays.
_FORGET = """
WITH raters AS (DELETE FROM pool_rater WHERE project_id = $1)
UPDATE pool SET correct = 0, total = 0, state = '' WHERE project_id = $1
"""


class Project(NamedTuple):
    """A project as its tasks' events tell of it."""

    project_id: UUID
    vendor_id: UUID
    task_type: int
    domain: int


class PoolKey(NamedTuple):
    """A pool: the questions of a project that have these labels, by comma."""

    project_id: UUID
    labels: str


@dataclass(slots=True)
class Loaded:
    """A pool's own state, and those of its raters that were asked for and are there."""

    state: bytes
    crowd: tuple[float, float]
    raters: dict[UUID, Rater]
    config: Configuration = DEFAULT
    """At the pool's temperature."""


@dataclass(frozen=True, slots=True)
class Stepped:
    """A pool after a step or a fit: what is to be written."""

    key: PoolKey
    vendor_id: UUID
    experts: Sequence[UUID]
    muted: Collection[UUID]
    pool: Pool


class Gained(NamedTuple):
    """How many standing votes a project has more than before, and how long its answers take by now."""

    project_id: UUID
    votes: int
    pace: Pace


async def lock_projects(tx: Transaction, projects: Iterable[Project]) -> dict[UUID, Pace]:
    """Locks projects until the end of the transaction, and makes those that are new; gives how long answers take."""
    wanted = {project.project_id: project for project in projects}
    rows = await tx.fetch(_LOCK, list(wanted))
    if new := wanted.keys() - {row["project_id"] for row in rows}:
        await tx.execute(_MAKE, *zip(*(wanted[id_] for id_ in new), strict=True))
        rows = await tx.fetch(_LOCK, list(wanted))
    return {row["project_id"]: Pace(row["paced"], row["pace_logs"], row["pace_squares"]) for row in rows}


async def load_pools(tx: Transaction, wanted: Mapping[PoolKey, Sequence[UUID]]) -> dict[PoolKey, Loaded]:
    """Reads pools of locked projects with these raters; what is new has no state yet."""
    found = [Loaded(b"", (0.0, 0.0), {}) for _ in wanted]
    pairs = [(place, expert) for place, experts in enumerate(wanted.values(), 1) for expert in experts]
    keys = [key.project_id for key in wanted], [key.labels for key in wanted]
    rows = await tx.fetch(_LOAD, *keys, [place for place, _ in pairs], [expert for _, expert in pairs])
    for place, expert_id, correct, total, right, wrong, state, muted in rows:
        loaded = found[place - 1]
        if expert_id is None:
            loaded.state, loaded.crowd, loaded.config = state, (correct, total), at(right)
        else:
            loaded.raters[expert_id] = Rater((right, wrong), correct, total, state, muted)
    return dict(zip(wanted, found, strict=True))


async def write_pools(
    tx: Transaction, stepped: Sequence[Stepped], gained: Sequence[Gained], *, anew: bool = False
) -> None:
    """Writes pools and their raters, and what their projects have gained.

    Fitted `anew`, raters have no vote more: what is known of those that there were is another.
    """
    own = [(*one.key, one.vendor_id, *one.pool.coin.crowd, stored.pool_state(one.pool)) for one in stepped]
    projects = [(one.project_id, one.votes, *one.pace) for one in gained]
    raters = [row for place, one in enumerate(stepped, 1) for row in _rater_rows(place, one)]
    await tx.execute(_WRITE, own, projects, raters, anew)


async def replace_pools(
    tx: Transaction, project_id: UUID, fitted: Sequence[Stepped], temperature: float | None
) -> None:
    """Writes the pools of a locked project that was fitted as a whole."""
    await tx.execute(_FORGET, project_id)
    if fitted:
        await write_pools(tx, fitted, [], anew=True)
        await tx.execute(_HEAT, project_id, temperature)


def _rater_rows(place: int, one: Stepped) -> Iterable[tuple[object, ...]]:
    coin = one.pool.coin
    columns = [values.tolist() for values in (coin.correct, coin.total, coin.prior.right, coin.prior.wrong)]
    muted = [expert in one.muted for expert in one.experts]
    return zip(repeat(place), one.experts, *columns, stored.rater_states(one.pool), muted, strict=False)
