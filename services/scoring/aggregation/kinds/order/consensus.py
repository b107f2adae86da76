"""Preferences between items: how strong each is, and how probably one beats another in the eyes of a rater.

    logit P(left beats right | rater j) = g_j (b_l - b_r + c_lq - c_rq + v_t) + p_j + p

Bradley and Terry (1952), a tie counting half a win for each side; c is what an item is better at in a context q (a
prompt), v what a pair there has of its own, g how sharply a rater tells, p where raters lean by position alone.
All are drawn to 0 (log g) by Gaussian priors, and found together as the maximum a posteriori.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize

from services.scoring.aggregation.models.crowd import Floats, Ints

# Precisions of the priors: of an item, of an item in a context, of a pair, of a rater's sharpness and leaning.
_ITEM, _CONTEXT, _PAIR, _SHARPNESS, _LEANING = 0.5, 2.0, 8.0, 20.0, 5.0
# The common leaning has none to speak of.
_COMMON = 1e-6


class Pairs(NamedTuple):
    """The sides of each pair by number: its items, and the same in their context."""

    left: Ints
    right: Ints
    left_there: Ints
    right_there: Ints

    def sizes(self, workers: int) -> tuple[int, int, int, int]:
        """As in `Votes`, for so many raters."""
        items, there = (int(np.max(sides, initial=-1)) + 1 for sides in (self[:2], self[2:]))
        return items, there, len(self.left), workers

    def votes(self, pair: Ints, worker: Ints, won: Floats, sizes: tuple[int, int, int, int]) -> Votes:
        """The votes of raters between the sides of these pairs; `sizes` as in `Votes`."""
        left, right, left_there, right_there = (side[pair] for side in self)
        return Votes(left, right, left_there, right_there, pair, worker, won, sizes)


@dataclass(frozen=True, slots=True)
class Votes:
    """Votes of raters between two items: numbers of items, of items in their contexts, of pairs and of raters."""

    left: Ints
    right: Ints
    left_there: Ints
    right_there: Ints
    pair: Ints
    worker: Ints
    won: Floats
    """1 where the left item won, 0 where the right one did, 1/2 for a tie."""
    sizes: tuple[int, int, int, int]
    """How many items, items in contexts, pairs and raters there are."""

    def only(self, rows: Ints) -> Votes:
        """The votes in these rows."""
        places = (self.left, self.right, self.left_there, self.right_there, self.pair, self.worker)
        left, right, left_there, right_there, pair, worker = (place[rows] for place in places)
        return Votes(left, right, left_there, right_there, pair, worker, self.won[rows], self.sizes)


@dataclass(frozen=True, slots=True)
class Strengths:
    """The parameters: of items, items in contexts, pairs, raters' sharpness, leanings, and the common leaning."""

    item: Floats
    there: Floats
    pair: Floats
    sharpness: Floats
    leaning: Floats
    common: Floats

    @classmethod
    def of(cls, x: Floats, sizes: tuple[int, int, int, int]) -> Strengths:
        """Cuts the parameters out of one vector."""
        items, there, pairs, workers = sizes
        return cls(*np.split(x, np.cumsum([items, there, pairs, workers, workers])))

    def difference(self, votes: Votes) -> Floats:
        """How much stronger the left side is, for a rater of sharpness 1 without a leaning."""
        items = self.item[votes.left] - self.item[votes.right]
        return items + self.there[votes.left_there] - self.there[votes.right_there] + self.pair[votes.pair]

    def logits(self, votes: Votes) -> Floats:
        """The log odds of the left side, as these raters see it."""
        sharp = np.exp(self.sharpness[votes.worker])
        return np.asarray(sharp * self.difference(votes) + self.leaning[votes.worker] + self.common[0])


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the parameters before some votes: a Gaussian of independent ones around `mean`.

    `push` is the gradient at `mean` of what it leaves out: of votes that are withdrawn, none in a fit of all.
    """

    mean: Floats
    precision: Floats
    push: Floats

    @classmethod
    def nothing(cls, sizes: tuple[int, int, int, int]) -> Known:
        """The priors alone."""
        items, there, pairs, workers = sizes
        precision = np.repeat(
            [_ITEM, _CONTEXT, _PAIR, _SHARPNESS, _LEANING, _COMMON], [items, there, pairs, workers, workers, 1]
        )
        return cls(np.zeros(len(precision)), precision, np.zeros(len(precision)))


def fit(votes: Votes) -> Strengths:
    """The most probable parameters."""
    return Strengths.of(most_probable(votes, Known.nothing(votes.sizes)), votes.sizes)


def most_probable(votes: Votes, known: Known) -> Floats:
    """The most probable parameters in one vector, after some votes."""

    def loss(x: Floats) -> tuple[float, Floats]:
        now, moved = Strengths.of(x, votes.sizes), x - known.mean
        z = now.logits(votes)
        doubt = 0.5 * float(known.precision @ moved**2) + float(known.push @ moved)
        slope = gradient(now, votes, z) + known.precision * moved + known.push
        return float(np.sum(np.logaddexp(0, z) - votes.won * z)) + doubt, slope

    return np.asarray(minimize(loss, known.mean, jac=True, method="L-BFGS-B", options={"maxiter": 500}).x)


def gradient(now: Strengths, votes: Votes, z: Floats) -> Floats:
    """The gradient of the votes' log loss in all parameters; `z` are their logits."""
    items, there, pairs, workers = votes.sizes
    error = 1 / (1 + np.exp(-z)) - votes.won
    sharp = np.exp(now.sharpness[votes.worker])
    at_items = error * sharp
    return np.concatenate(
        [
            np.bincount(votes.left, at_items, items) - np.bincount(votes.right, at_items, items),
            np.bincount(votes.left_there, at_items, there) - np.bincount(votes.right_there, at_items, there),
            np.bincount(votes.pair, at_items, pairs),
            np.bincount(votes.worker, at_items * now.difference(votes), workers),
            np.bincount(votes.worker, error, workers),
            [error.sum()],
        ]
    )


def curvature(now: Strengths, votes: Votes, z: Floats) -> Floats:
    """How much each parameter's precision grows by the votes: the diagonal of the Gauss-Newton matrix of their loss."""
    items, there, pairs, workers = votes.sizes
    likely = 1 / (1 + np.exp(-z))
    doubt, sharp = likely * (1 - likely), np.exp(now.sharpness[votes.worker])
    at_items = doubt * sharp**2
    return np.concatenate(
        [
            np.bincount(votes.left, at_items, items) + np.bincount(votes.right, at_items, items),
            np.bincount(votes.left_there, at_items, there) + np.bincount(votes.right_there, at_items, there),
            np.bincount(votes.pair, at_items, pairs),
            np.bincount(votes.worker, at_items * now.difference(votes) ** 2, workers),
            np.bincount(votes.worker, doubt, workers),
            [doubt.sum()],
        ]
    )


def log_loss(logits: Floats, won: Floats) -> float:
    """The mean log loss in nats, a tie counting half for each side."""
    return float(np.mean(np.logaddexp(0, logits) - won * logits))
