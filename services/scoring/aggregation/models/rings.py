"""Raters who do not look: careless ones, who say what says nothing, and rings, who say what one of them said.

Both scores are evidence for people to look at; nothing follows from them by itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from services.scoring.aggregation.models import one_coin
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.confusion import answer_shares
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, tally
from services.scoring.aggregation.models.sweeps import compiled

_SHRUNK = 6.0
"""Votes with which a rater's score is drawn to that of all."""
_PRIOR = 2.0
"""Votes of prior, by how common a label is, in what the others of a task are expected to say."""
_PAIR = 3.0
"""Standard deviations of agreement beyond chance from which two raters may be copying: weak by itself, but rings want
every member to copy two others, and to copy whole."""
_COPIED = 0.95
"""The share of the agreement that chance leaves open which two raters must fill: copies fill it all."""
LEAST_COMMON = 6
"""Tasks in common from which a pair is looked at; of several questions each counts for as many as `counts_of` says."""
_MEMBERS = 3
_LOOKED_AT = 8


def suspicion(crowd: Crowd) -> Floats:
    """How little each rater is informed, from -1 to 1, after what rings say is left out; a member of a ring is 1."""
    ring = np.zeros(crowd.workers, dtype=bool)
    for members in rings(crowd):
        ring[members] = True
    return np.where(ring, 1.0, -informedness(crowd, ~ring))


def flagged(crowd: Crowd) -> NDArray[np.bool_]:
    """The raters to be looked at by people: members of rings, and those whose answers are, surely, hardly informed.

    Surely: three standard deviations of a vote's gain, as large as that of all votes, still leave the rater below a
    tenth of what all raters have.
    """
    score = -suspicion(crowd)
    n = np.bincount(crowd.worker, minlength=crowd.workers)
    usual = float(np.average(np.maximum(score, 0), weights=n)) if crowd.votes else 0.0
    return np.asarray((score <= -1.0) | ((n >= _LOOKED_AT) & (score + 3 * 0.5 / np.sqrt(n + _SHRUNK) < 0.1 * usual)))


def informedness(crowd: Crowd, heard: NDArray[np.bool_] | None = None) -> Floats:
    """How far each rater's answers agree with the other raters' more than their own habit of labels would.

    The sum over votes of P(label | others) - sum over l of h(l) P(l | others), h being how often the rater names l,
    in all and drawn to 0; over the number of votes. 0 is chance, whatever the habit: constant, by prior, or at random.
    The peers' part of Dasgupta and Ghosh's mechanism (2013), with posteriors in place of single peers.
    """
    others = without_self(crowd, heard)
    n = np.maximum(np.bincount(crowd.worker, minlength=crowd.workers), 1)
    habit = habits(crowd)
    gain = others[np.arange(crowd.votes), crowd.label] - np.sum(habit[crowd.worker] * others, axis=1)
    total = np.bincount(crowd.worker, weights=gain, minlength=crowd.workers)
    mean = gain.mean() if crowd.votes else 0.0
    return np.asarray((total + _SHRUNK * mean) / (n + _SHRUNK))


def habits(crowd: Crowd) -> Floats:
    """How often each rater names each label, with a few votes as all cast them; shape (workers, classes)."""
    votes = np.zeros((crowd.workers, crowd.classes))
    np.add.at(votes, (crowd.worker, crowd.label), 1.0)
    common = np.bincount(crowd.label, minlength=crowd.classes) / max(crowd.votes, 1)
    return np.asarray((votes + _PRIOR * common) / (votes.sum(axis=1) + _PRIOR)[:, None])


def without_self(crowd: Crowd, heard: NDArray[np.bool_] | None = None) -> Floats:
    """The posterior of each vote's task by the one-coin model without that vote, shape (votes, classes)."""
    speaking = crowd if heard is None else crowd.of_raters(heard)
    fit = one_coin.fit(speaking, np.full(crowd.tasks, -1, dtype=np.int32), DEFAULT)
    weight = np.maximum(one_coin.weights(fit.correct, fit.total, crowd.classes, DEFAULT), 0.0)
    weight[~heard if heard is not None else slice(0)] = 0.0
    scores = np.tile(np.log(answer_shares(speaking)), (crowd.tasks, 1))
    np.add.at(scores, (crowd.task, crowd.label), weight[crowd.worker])
    own = scores[crowd.task]
    own[np.arange(crowd.votes), crowd.label] -= weight[crowd.worker]
    odds = np.exp(own - own.max(axis=1, keepdims=True))
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def counts_of(questions: Ints) -> Floats:
    """For how many tasks of one question a question counts, by how many its task has: one over their square root.

    What two good raters say to the questions of one task is alike, as they have both understood it: it is no more than
    one task if answers follow from each other, as many as there are questions if they do not, and mostly between.
    """
    return np.asarray(questions**-0.5)


def agreement_beyond_chance(crowd: Crowd, counts: Floats | None = None) -> tuple[Floats, Floats, Floats, Floats]:
    """For each pair of raters: agreements beyond those expected, their variance, how many were open, tasks in common.

    Two raters are expected to agree as often as the other raters of the task name what one of them named. `counts` is
    for how many tasks each one counts, which is 1 unless it is a question of several.
    """
    counts = np.ones(crowd.tasks) if counts is None else counts
    excess, variance, missing, shared = (np.zeros((crowd.workers, crowd.workers)) for _ in range(4))
    common = np.bincount(crowd.label, minlength=crowd.classes) / max(crowd.votes, 1)
    votes = (crowd.starts, crowd.worker, crowd.label, tally(crowd), counts)
    _compare(*votes, common, _PRIOR, excess, variance, missing, shared)
    return excess, variance, missing, shared


@compiled
def _compare(
    starts: Ints,
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    votes: Floats,
    counts: Floats,
    common: Floats,
    prior: float,
    excess: Floats,
    variance: Floats,
    missing: Floats,
    shared: Floats,
) -> None:
    for t in range(len(starts) - 1):
        size = starts[t + 1] - starts[t]
        for i in range(starts[t], starts[t + 1]):
            for j in range(starts[t], i):
                agree = 1.0 if label[i] == label[j] else 0.0
                same = votes[t, label[i]] - 1 - agree + prior * common[label[i]]
                other = votes[t, label[j]] - 1 - agree + prior * common[label[j]]
                expected = 0.5 * (same + other) / (size - 2 + prior)
                for a, b in ((worker[i], worker[j]), (worker[j], worker[i])):
                    excess[a, b] += counts[t] * (agree - expected)
                    variance[a, b] += counts[t] * expected * (1 - expected)
                    missing[a, b] += counts[t] * (1 - expected)
                    shared[a, b] += counts[t]


def rings(crowd: Crowd, counts: Floats | None = None) -> list[Ints]:
    """Groups of three or more raters, each of whom agrees with two others far more often than chance would have it.

    `counts` as for `agreement_beyond_chance`.
    """
    excess, variance, missing, shared = agreement_beyond_chance(crowd, counts)
    surprising = excess > _PAIR * np.sqrt(variance + 0.25)
    close = surprising & (excess > _COPIED * missing) & (shared >= LEAST_COMMON)
    np.fill_diagonal(close, False)
    while True:
        lonely = close.any(axis=1) & (close.sum(axis=1) < _MEMBERS - 1)
        if not lonely.any():
            break
        close[lonely] = False
        close[:, lonely] = False
    _, group = connected_components(coo_array(close), directed=False)
    members = [np.flatnonzero(group == number) for number in np.unique(group[close.any(axis=1)])]
    return [ring for ring in members if len(ring) >= _MEMBERS]
