"""Sets of labels as they come: a pool a label, whose choices are between named and not named."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.kinds.choice.live import gone_of, kept, pool_of, votes_of
from services.scoring.aggregation.live.bytes import pack, unpack
from services.scoring.aggregation.live.pool import Pool
from services.scoring.aggregation.live.standing import Standing
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, crowd, tally

Labels = frozenset[int]


class LiveMultilabels:
    """The pools for so many raters, and the answers. `gold` is as in the batch; it has the tasks and labels."""

    def __init__(self, workers: int, gold: NDArray[np.int32]) -> None:
        """Before the first answer."""
        tasks, labels = gold.shape
        self.gold = gold
        self.pools = [Pool.empty(tasks, workers, 2) for _ in range(labels)]
        self._sizes = (tasks, workers)
        self._standing: Standing[Labels] = Standing(tasks)

    def take(self, task: Ints, worker: Ints, named: Sequence[Labels]) -> None:
        """One step of each pool; and fits, where the answers have grown enough since the last ones."""
        step = self._standing.take(task, worker, named)
        if self._standing.due:
            self.fit()
        elif len(step.tasks):
            there, gone = (_named(some, len(self.pools)) for some in (step.what, step.gone.what))
            for label, pool in enumerate(self.pools):
                pool.step(votes_of(step, there[:, label]), gone_of(step, gone[:, label]))

    def fit(self) -> None:
        """Scores all anew."""
        for pool, votes in zip(self.pools, self._crowds(), strict=True):
            pool.fit(votes)
        self._standing.fitted = self._standing.size

    def consensus(self) -> Floats:
        """The probability of each label for each task, shape (tasks, labels)."""
        found, items = np.zeros((self._sizes[0], len(self.pools))), np.arange(self._sizes[0])
        for label, (pool, votes) in enumerate(zip(self.pools, self._crowds(), strict=True)):
            found[:, label] = mixture.calibrated(pool.members(items, tally(votes)), self.gold[:, label], DEFAULT)[:, 1]
        return found

    def packed(self) -> bytes:
        """The state as bytes."""
        task, worker, named = self._standing.rows()
        arrays = {"task": task, "worker": worker, "named": _named(named, len(self.pools)), "gold": self.gold}
        arrays["sizes"] = np.array([self._sizes[1], self._standing.fitted])
        for label, pool in enumerate(self.pools):
            arrays |= kept(pool, f"{label}/")
        return pack(arrays)

    @classmethod
    def of(cls, state: bytes) -> LiveMultilabels:
        """The state that was packed."""
        arrays = unpack(state)
        workers, fitted = arrays["sizes"].tolist()
        made = cls(workers, arrays["gold"])
        made.pools = [pool_of(arrays, 2, f"{label}/") for label in range(len(made.pools))]
        named = [frozenset(np.flatnonzero(row).tolist()) for row in arrays["named"]]
        made._standing = Standing.of(len(made.gold), arrays["task"], arrays["worker"], named, fitted)
        return made

    def _crowds(self) -> list[Crowd]:
        """The votes on each label that stand by now."""
        task, worker, answers = self._standing.rows()
        there, (tasks, workers) = _named(answers, len(self.pools)), self._sizes
        columns = there.T.astype(np.int64)
        return [crowd(task, worker, named, tasks=tasks, workers=workers, classes=2) for named in columns]


def _named(answers: Sequence[Labels], labels: int) -> NDArray[np.bool_]:
    """Which labels each answer names."""
    there = np.zeros((len(answers), labels), dtype=np.bool_)
    for place, named in enumerate(answers):
        there[place, list(named)] = True
    return there
