"""Questions of tasks as items of a pool: their votes become arrays for a step, and what it finds becomes findings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from preceptor.work.v1.work_pb2 import Question

from services.scoring.aggregation import choice, mixture, overlap
from services.scoring.aggregation.aggregator import Aggregator
from services.scoring.aggregation.confusion import crowd_rows
from services.scoring.aggregation.crowd import Floats, Ints
from services.scoring.aggregation.pool import Gone, Pool, Votes
from services.scoring.domain.consensus import Finding
from services.scoring.domain.votes import Ballot, Vote


class Item(NamedTuple):
    """A question of a task, with the votes that name a label of it."""

    question: Question
    aggregator: Aggregator
    remaining: int
    """How many answers may still come."""
    votes: Sequence[Vote]
    """Those that stand; first those that the pool counts."""
    counted: int
    gone: Sequence[Vote]
    """Those that the pool counts and that do not stand any more."""
    abstained: int
    """How many stand that could not assess the question."""


def items(
    questions: Sequence[Question],
    aggregator: Aggregator,
    remaining: int,
    stand: Sequence[Vote],
    replaced: Sequence[Vote],
) -> list[Item]:
    """The items of a task, from its votes that stand, and those that stood when it was scored last and do no more."""
    known: list[list[Vote]] = [[] for _ in questions]
    fresh: list[list[Vote]] = [[] for _ in questions]
    gone: list[list[Vote]] = [[] for _ in questions]
    abstained = [0] * len(questions)
    for vote in stand:
        if vote.label is None:
            abstained[vote.question] += 1
        else:
            (known if vote.known else fresh)[vote.question].append(vote)
    for vote in replaced:
        if vote.label is not None:
            gone[vote.question].append(vote)
    return [
        Item(question, aggregator, remaining, known[n] + fresh[n], len(known[n]), gone[n], abstained[n])
        for n, question in enumerate(questions)
    ]


def heard(one: Item, muted: Collection[UUID]) -> Item:
    """The item without the votes of these raters, which the pool has never counted."""
    if not any(vote.expert_id in muted for vote in (*one.votes, *one.gone)):
        return one
    votes = [vote for vote in one.votes if vote.expert_id not in muted]
    counted = sum(vote.known for vote in votes)
    return one._replace(votes=votes, counted=counted, gone=[vote for vote in one.gone if vote.expert_id not in muted])


def raters(some: Sequence[Item]) -> list[UUID]:
    """Everybody whose votes a step of these items touches."""
    return list(dict.fromkeys(vote.expert_id for each in some for vote in (*each.votes, *each.gone)))


def step(pool: Pool, some: Sequence[Item], experts: Sequence[UUID]) -> list[Finding]:
    """One step of the pool, whose raters are these experts and whose items these, in their order."""
    number = {expert: place for place, expert in enumerate(experts)}
    votes = votes_of(some, number)
    weight = pool.coin.weights(pool.classes, pool.config)
    pool.step(votes, _gone(some, number))
    return findings(pool, some, votes, weight)


def look(pool: Pool, some: Sequence[Item], experts: Sequence[UUID]) -> list[Finding]:
    """What is found of items by what the pool holds of them; all their votes are counted."""
    votes = votes_of(some, {expert: place for place, expert in enumerate(experts)})
    return findings(pool, some, votes, pool.coin.weights(pool.classes, pool.config))


def findings(pool: Pool, some: Sequence[Item], votes: Votes, weight: NDArray[np.float32]) -> list[Finding]:
    """What is found of each item; `weight` is the evidence of each rater's vote by the one coin, in nats."""
    sizes = np.diff(votes.starts)
    counts = np.zeros((len(some), pool.classes))
    np.add.at(counts, (np.repeat(np.arange(len(some)), sizes), votes.label), 1.0)
    members = pool.members(votes.item, counts)
    posterior = mixture.calibrated(members, None, pool.config).tolist()
    worth = _worth(pool, members, some).tolist()
    weights = iter(weight[votes.worker].tolist())
    return [_finding(each, row, value, weights) for each, row, value in zip(some, posterior, worth, strict=True)]


def _finding(each: Item, probabilities: Sequence[float], worth: float, weights: Iterator[float]) -> Finding:
    ballots = {vote.answer_id: Ballot(vote.label or 0, vote.strength, next(weights)) for vote in each.votes}
    if not ballots:
        return Finding(None, ballots, each.abstained)
    at_a_draw = partial(each.aggregator.at_a_draw, each.question)
    found = choice.consensus(list(ballots.values()), probabilities, at_a_draw, worth)
    return Finding(found, ballots, each.abstained)


def _worth(pool: Pool, members: Floats, some: Sequence[Item]) -> Floats:
    """What one more answer to each item is worth: by the models themselves, as they see what the mixture softens."""
    weights = np.array(pool.config.weights[1:])
    sharp = np.tensordot(weights / weights.sum(), members[1:], axes=1)
    remaining = np.array([each.remaining for each in some], dtype=np.int64)
    return overlap.worth(sharp, crowd_rows(pool.matrices[0].crowd), remaining)


def votes_of(some: Sequence[Item], number: Mapping[UUID, int]) -> Votes:
    """The votes of items as arrays, raters by number."""
    return Votes(
        np.arange(len(some)),
        np.cumsum([0, *(len(each.votes) for each in some)]),
        np.array([each.counted for each in some], dtype=np.int64),
        np.array([number[vote.expert_id] for each in some for vote in each.votes], dtype=np.int32),
        np.array([vote.label for each in some for vote in each.votes], dtype=np.int32),
    )


def _gone(some: Sequence[Item], number: Mapping[UUID, int]) -> Gone:
    rows = [(n, number[v.expert_id], v.label) for n, each in enumerate(some) for v in each.gone]
    columns: Ints = np.array(rows, dtype=np.int64).reshape(-1, 3)
    return Gone(*columns.T)
