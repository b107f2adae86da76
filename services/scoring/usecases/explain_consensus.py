"""Tells how the consensus of a task was reached: all that is held of it, of its votes and of whoever cast them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import numpy as np

from chassis.db import Transaction
from services.scoring.aggregation.live import stored
from services.scoring.aggregation.tasks import explain
from services.scoring.aggregation.tasks.sheet import standing_votes
from services.scoring.domain.credentials import Attested
from services.scoring.domain.explanation import Cast, Explained, Rater, Told
from services.scoring.domain.models import is_model
from services.scoring.domain.votes import Vote, VoteKey
from services.scoring.usecases.assume_raters import FRESH, Rating, look_up
from services.scoring.usecases.get_consensus import TaskConsensus, get_consensus
from services.scoring.usecases.pools import Loaded, PoolKey, load_pools
from services.scoring.usecases.tasks import Task, load_tasks

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
    stand = standing_votes(task.kept, len(task.form.questions))
    everybody = list({vote.expert_id for vote in stand})
    keys = [PoolKey(task.project_id, labels) for labels in task.form.pools]
    pools = await load_pools(tx, dict.fromkeys(keys, everybody))
    gold = {row["expert_id"]: (row["correct"], row["total"]) for row in await tx.fetch(_GOLD, everybody)}
    weights = {(vote.answer_id, vote.question): vote.weight for vote in consensus.votes}
    rated = [Rating(task.project_id, expert, task.task_type, task.domain) for expert in everybody]
    attested = {expert: known.attested for (_, expert), known in (await look_up(tx, rated)).items()}
    known = [_Known(pools[key], gold, attested, weights) for key in keys]
    questions = [_question(task, n, [v for v in stand if v.question == n], each) for n, each in enumerate(known)]
    return Explanation(consensus, Told(consensus.version, consensus.confidence), questions)


class _Known(NamedTuple):
    """What is known of votes and raters: their pool, gold (right, in all) and the claim that says most by expert,
    weights of the last scoring.
    """

    pool: Loaded
    gold: Mapping[UUID, tuple[float, float]]
    attested: Mapping[UUID, Attested | None]
    weights: Mapping[VoteKey, float]

    def muted(self, vote: Vote) -> bool:
        """Whether the vote has no weight, as its rater is flagged."""
        return vote.expert_id in self.pool.raters and self.pool.raters[vote.expert_id].muted

    def cast(self, vote: Vote, label: int, classes: int) -> Cast:
        """A vote with what is known of it. One that had no weight when the task was scored last has that of now."""
        known = self.pool.raters.get(vote.expert_id, stored.Rater(FRESH))
        assumed = explain.assumed_here(known.prior, self.pool.crowd)
        rater = Rater(*assumed, known.correct, known.total, *self.gold.get(vote.expert_id, (0.0, 0.0)))
        weight = self.weights.get(vote.key, rater.weight(classes))
        return Cast(vote.answer_id, label, weight, rater, self.attested[vote.expert_id])


def _question(task: Task, number: int, stand: Sequence[Vote], known: _Known) -> Explained:
    labels, found = task.form.labels[number], np.frombuffer(task.found, "<i2")
    votes = [vote for vote in stand if vote.label is not None]
    cast = [known.cast(v, v.label, len(labels)) for v in votes if v.label is not None and not known.muted(v)]
    held = explain.Held([], 1.0, [])
    if cast and known.pool.state:
        given = np.bincount([vote.label for vote in cast], minlength=len(labels)).astype(np.float64)
        pool = stored.load(len(labels), known.pool.state, [], [task.held_of(number)], config=known.pool.config)
        held = explain.held(pool, 0, given)
    return Explained(
        question=task.form.questions[number].id,
        labels=labels,
        told=int(found[number]) if number < len(found) and found[number] >= 0 else None,
        votes=cast,
        set_aside=[vote.answer_id for vote in votes if known.muted(vote)],
        abstained=sum(vote.label is None and not is_model(vote.answer_id) for vote in stand),
        models=held.models,
        temperature=held.temperature,
        probabilities=held.probabilities,
    )
