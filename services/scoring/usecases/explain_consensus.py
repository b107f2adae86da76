"""Tells how the consensus of a task was reached: all that is held of it, of its votes and of whoever cast them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import numpy as np

from chassis.db import Transaction
from services.scoring.aggregation import explain, stored
from services.scoring.domain.explanation import Cast, Explained, Rater, Told
from services.scoring.domain.votes import standing
from services.scoring.usecases import score_tasks
from services.scoring.usecases.get_consensus import StandingVote, TaskConsensus, get_consensus
from services.scoring.usecases.pools import Loaded, PoolKey, load_pools
from services.scoring.usecases.score_tasks import Asked
from services.scoring.usecases.tasks import load_tasks
from services.scoring.usecases.votes import load_votes

# State, votes and pools are read as of one moment, whoever scores the task meanwhile.
_ONE_MOMENT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"

_GOLD = """
SELECT expert_id, sum(correct) AS correct, sum(total) AS total FROM gold_record WHERE expert_id = ANY($1::uuid[])
GROUP BY expert_id
"""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was told last of a task, and for each of its questions what that stands on."""

    consensus: TaskConsensus
    told: Told
    questions: Sequence[Explained]


async def explain_consensus(tx: Transaction, task_id: UUID) -> Explanation:
    """Explains a task, if the transaction's scope shows it; nothing may be done in the transaction before.

    Raises `ConsensusNotFound`.
    """
    await tx.execute(_ONE_MOMENT)
    consensus = await get_consensus(tx, task_id)
    [task] = await load_tasks(tx, [task_id])
    asked = score_tasks.ask(task, (await load_votes(tx, [task_id])).get(task_id, []))
    experts = {vote.answer_id: vote.expert_id for vote in standing(asked.votes)}
    everybody = list(dict.fromkeys(experts.values()))
    pools = await load_pools(tx, {PoolKey(task.project_id, labels): everybody for labels in task.form.pools})
    gold = {row["expert_id"]: (row["correct"], row["total"]) for row in await tx.fetch(_GOLD, everybody)}
    questions = [
        _question(asked, n, [vote for vote in consensus.votes if vote.question == n], experts, gold, pools[key])
        for n, key in enumerate(PoolKey(task.project_id, labels) for labels in task.form.pools)
    ]
    return Explanation(consensus, Told(consensus.version, consensus.confidence), questions)


def _question(
    asked: Asked,
    number: int,
    votes: Sequence[StandingVote],
    experts: Mapping[UUID, UUID],
    gold: Mapping[UUID, tuple[float, float]],
    pool: Loaded,
) -> Explained:
    form, item = asked.task.form, asked.items[number]
    labels, found = form.labels[number], np.frombuffer(asked.task.found, "<i2")
    cast = [
        Cast(vote.answer_id, vote.label, vote.weight, _rater(pool, experts[vote.answer_id], gold)) for vote in votes
    ]
    held = explain.Held([], 1.0, [])
    if votes:
        given = np.bincount([vote.label for vote in votes], minlength=len(labels)).astype(np.float64)
        held = explain.held(stored.load(len(labels), pool.state, [], [asked.held[number]]), 0, given)
    told = int(found[number]) if number < len(found) and found[number] >= 0 else None
    return Explained(form.questions[number].id, labels, told, cast, item.abstained, *held)


def _rater(pool: Loaded, expert_id: UUID, gold: Mapping[UUID, tuple[float, float]]) -> Rater:
    known = pool.raters[expert_id]
    return Rater(*known.prior, known.correct, known.total, *gold.get(expert_id, (0.0, 0.0)))
