"""Preferences as they come: each parameter with how precisely it is known.

A step finds the most probable parameters by its own votes with the rest as a Gaussian prior, each parameter by itself
(assumed density filtering with Laplace's method; Opper 1998): only parameters that a vote of the step touches move,
and each gains the curvature of its votes. A vote that its rater replaces goes out by its gradient and its curvature.
The loss is that of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from services.scoring.aggregation.kinds.order import consensus as order
from services.scoring.aggregation.kinds.order.consensus import Known, Pairs, Strengths, Votes
from services.scoring.aggregation.live.bytes import pack, unpack
from services.scoring.aggregation.live.standing import Standing
from services.scoring.aggregation.models.crowd import Floats, Ints


class LivePreferences:
    """The state for some pairs of items and so many raters."""

    def __init__(self, pairs: Pairs, workers: int) -> None:
        """Before the first vote."""
        self.pairs, self.sizes = pairs, pairs.sizes(workers)
        known = Known.nothing(self.sizes)
        self.x, self.precision, self._least = known.mean, known.precision.copy(), known.precision
        self._standing: Standing[float] = Standing(len(pairs.left))

    def take(self, pair: Ints, worker: Ints, won: Floats) -> None:
        """One step; and a fit, where the votes have grown enough since the last one. `won` as in `Votes`."""
        step = self._standing.take(pair, worker, won.tolist())
        if self._standing.due:
            self.fit()
        elif len(step.tasks):
            fresh = np.flatnonzero(step.fresh)
            came = self._votes(step.tasks[step.place[fresh]], step.worker[fresh], [step.what[n] for n in fresh])
            self._step(came, self._votes(step.tasks[step.gone.place], step.gone.worker, step.gone.what))

    def fit(self) -> None:
        """Finds all parameters anew by all votes."""
        votes = self.votes()
        self.x = order.most_probable(votes, Known.nothing(self.sizes))
        self.precision = self._least + order.curvature(self.strengths, votes, self.strengths.logits(votes))
        self._standing.fitted = self._standing.size

    @property
    def strengths(self) -> Strengths:
        """The parameters."""
        return Strengths.of(self.x, self.sizes)

    def votes(self) -> Votes:
        """The votes that stand by now."""
        return self._votes(*self._standing.rows())

    def packed(self) -> bytes:
        """The state as bytes."""
        votes = self.votes()
        said = {"pair": votes.pair, "worker": votes.worker, "won": votes.won, "sides": np.stack(self.pairs)}
        sizes = np.array([self.sizes[3], self._standing.fitted])
        return pack(said | {"sizes": sizes, "x": self.x, "precision": self.precision})

    @classmethod
    def of(cls, state: bytes) -> LivePreferences:
        """The state that was packed."""
        arrays = unpack(state)
        workers, fitted = arrays["sizes"].tolist()
        made = cls(Pairs(*arrays["sides"]), workers)
        made.x, made.precision = arrays["x"], arrays["precision"]
        votes = arrays["pair"], arrays["worker"], arrays["won"].tolist()
        made._standing = Standing.of(len(made.pairs.left), *votes, fitted)
        return made

    def _step(self, came: Votes, gone: Votes) -> None:
        touched, new, old = _part(came, gone)
        now = Strengths.of(self.x[touched], new.sizes)
        z = now.logits(old)
        precision = np.maximum(self.precision[touched] - order.curvature(now, old, z), self._least[touched])
        known = Known(self.x[touched], precision, -order.gradient(now, old, z))
        found = order.most_probable(new, known)
        after = Strengths.of(found, new.sizes)
        self.x[touched] = found
        self.precision[touched] = precision + order.curvature(after, new, after.logits(new))

    def _votes(self, pair: Ints, worker: Ints, won: Sequence[float]) -> Votes:
        return self.pairs.votes(pair, worker, np.array(won, dtype=np.float64), self.sizes)


def _part(came: Votes, gone: Votes) -> tuple[Ints, Votes, Votes]:
    """The places of the parameters that some votes touch, and the votes by their numbers among these."""
    both = came, gone
    items, (left, right) = _numbered([v.left for v in both], [v.right for v in both])
    there, (left_there, right_there) = _numbered([v.left_there for v in both], [v.right_there for v in both])
    pairs, (pair,) = _numbered([v.pair for v in both])
    workers, (worker,) = _numbered([v.worker for v in both])
    sizes = len(items), len(there), len(pairs), len(workers)
    begins = np.cumsum([0, *came.sizes, came.sizes[3]])
    groups = items, there, pairs, workers, workers, np.zeros(1, dtype=np.int64)
    touched = np.concatenate([begin + group for begin, group in zip(begins, groups, strict=True)])
    new, old = (
        Votes(left[n], right[n], left_there[n], right_there[n], pair[n], worker[n], votes.won, sizes)
        for n, votes in enumerate(both)
    )
    return touched, new, old


def _numbered(*columns: list[Ints]) -> tuple[Ints, list[list[Ints]]]:
    """The numbers that are there, rising, and the columns in places among them."""
    parts = [part for column in columns for part in column]
    names, places = np.unique(np.concatenate(parts), return_inverse=True)
    found = iter(np.split(places, np.cumsum([len(part) for part in parts])[:-1]))
    return names, [[next(found) for _ in column] for column in columns]
