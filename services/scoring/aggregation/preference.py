"""Preferences between items: how strong each is, and how probably one beats another in the eyes of a rater.

    logit P(left beats right | rater j) = g_j (b_l - b_r + c_lq - c_rq + v_t) + p_j + p

Bradley and Terry (1952), a tie counting half a win for each side; c is what an item is better at in a context q (a
prompt), v what a pair there has of its own, g how sharply a rater tells, p where raters lean by position alone.
All are drawn to 0 (log g) by Gaussian priors, and found together as the maximum a posteriori.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from services.scoring.aggregation.crowd import Floats, Ints

# Precisions of the priors: of an item, of an item in a context, of a pair, of a rater's sharpness and leaning.
_ITEM, _CONTEXT, _PAIR, _SHARPNESS, _LEANING = 0.5, 2.0, 8.0, 20.0, 5.0


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


def fit(votes: Votes) -> Strengths:
    """The most probable parameters."""
    items, there, pairs, workers = votes.sizes
    precision = np.repeat(
        [_ITEM, _CONTEXT, _PAIR, _SHARPNESS, _LEANING, 1e-6], [items, there, pairs, workers, workers, 1]
    )

    def loss(x: Floats) -> tuple[float, Floats]:
        now = Strengths.of(x, votes.sizes)
        z = now.logits(votes)
        doubt = 0.5 * float(precision @ x**2)
        return float(np.sum(np.logaddexp(0, z) - votes.won * z)) + doubt, _gradient(now, votes, z) + precision * x

    found = minimize(loss, np.zeros(len(precision)), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return Strengths.of(found.x, votes.sizes)


def _gradient(now: Strengths, votes: Votes, z: Floats) -> Floats:
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


def log_loss(logits: Floats, won: Floats) -> float:
    """The mean log loss in nats, a tie counting half for each side."""
    return float(np.mean(np.logaddexp(0, logits) - won * logits))
