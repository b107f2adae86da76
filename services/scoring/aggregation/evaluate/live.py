"""The live engine in memory: what the service keeps in its database, answer by answer from a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation import mixture
from services.scoring.aggregation.configuration import DEFAULT
from services.scoring.aggregation.crowd import Crowd, Floats, Ints, crowd, tally
from services.scoring.aggregation.pool import Gone, Pool, Votes


class Live:
    """A pool with its votes."""

    def __init__(self, tasks: int, workers: int, classes: int) -> None:
        """Before the first answer."""
        self.pool = Pool.empty(tasks, workers, classes)
        self._sizes = (tasks, workers, classes)
        self._votes: list[dict[int, int]] = [{} for _ in range(tasks)]
        self._standing = self._fitted = 0

    def take(self, task: Ints, worker: Ints, label: Ints) -> None:
        """One step; and a fit, where the answers have grown enough since the last one."""
        came: dict[int, dict[int, int]] = {}
        for t, w, named in zip(task.tolist(), worker.tolist(), label.tolist(), strict=True):
            came.setdefault(t, {})[w] = named
        gone = [(t, w, self._votes[t].pop(w)) for t, new in came.items() for w in new if w in self._votes[t]]
        counted = [len(self._votes[t]) for t in came]
        for t, new in came.items():
            self._votes[t] |= new
        self._standing += sum(map(len, came.values())) - len(gone)
        self.pool.step(self._of(list(came), counted), Gone(*np.array(gone, dtype=np.int64).reshape(-1, 3).T))
        if self._standing >= DEFAULT.fit_at(self._fitted):
            self.fit()

    def fit(self) -> None:
        """Scores all anew."""
        self.pool.fit(self.crowd())
        self._fitted = self._standing

    def posterior(self, gold: NDArray[np.int32] | None = None) -> Floats:
        """The calibrated posterior of each task; `gold` as for the batch."""
        items = np.arange(self._sizes[0])
        return mixture.calibrated(self.pool.members(items, tally(self.crowd())), gold, DEFAULT)

    def crowd(self) -> Crowd:
        """The votes that stand by now."""
        rows = [(t, w, named) for t, votes in enumerate(self._votes) for w, named in votes.items()]
        task, worker, label = np.array(rows, dtype=np.int64).reshape(-1, 3).T
        tasks, workers, classes = self._sizes
        return crowd(task, worker, label, tasks=tasks, workers=workers, classes=classes)

    def _of(self, tasks: list[int], counted: list[int]) -> Votes:
        """The votes of some tasks: in the order in which they came, so that those counted are the first."""
        votes = [self._votes[t] for t in tasks]
        starts = np.cumsum([0, *map(len, votes)])
        worker = np.array([w for some in votes for w in some], dtype=np.int32)
        label = np.array([named for some in votes for named in some.values()], dtype=np.int32)
        return Votes(np.array(tasks), starts, np.array(counted), worker, label)
