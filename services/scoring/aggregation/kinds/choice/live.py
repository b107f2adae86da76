"""Choices as they come: what the service keeps in its database, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.live import stored
from services.scoring.aggregation.live.bytes import Arrays, pack, unpack
from services.scoring.aggregation.live.pool import Gone, Pool, Votes
from services.scoring.aggregation.live.standing import Standing, Step, T
from services.scoring.aggregation.live.stored import Rater
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, crowd, tally


class LiveChoices:
    """A pool with its votes.

    `gold` is the class of each task that is known from the start, else -1. As in the batch it is kept out of the
    models, as else what they say of gold tasks would teach no calibration; a gold task is certain at once.
    """

    def __init__(self, tasks: int, workers: int, classes: int, gold: NDArray[np.int32] | None = None) -> None:
        """Before the first answer."""
        self.pool = Pool.empty(tasks, workers, classes)
        self.gold = np.full(tasks, -1, dtype=np.int32) if gold is None else gold
        self._sizes = (tasks, workers, classes)
        self._standing: Standing[int] = Standing(tasks)

    def take(self, task: Ints, worker: Ints, label: Ints) -> None:
        """One step; and a fit, where the answers have grown enough since the last one."""
        step = self._standing.take(task, worker, label.tolist())
        if self._standing.due:
            self.fit()
        elif len(step.tasks):
            self.pool.step(votes_of(step, step.what), gone_of(step, step.gone.what))

    def fit(self) -> None:
        """Scores all anew."""
        self.pool.fit(self.crowd())
        self._standing.fitted = self._standing.size

    def posterior(self) -> Floats:
        """The calibrated posterior of each task, shape (tasks, classes)."""
        items = np.arange(self._sizes[0])
        return mixture.calibrated(self.pool.members(items, tally(self.crowd())), self.gold, DEFAULT)

    def crowd(self) -> Crowd:
        """The votes that stand by now."""
        task, worker, label = self._standing.rows()
        tasks, workers, classes = self._sizes
        return crowd(task, worker, np.array(label, np.int64), tasks=tasks, workers=workers, classes=classes)

    def packed(self) -> bytes:
        """The state as bytes; counts of raters as narrow floats."""
        task, worker, label = self._standing.rows()
        votes = {"task": task, "worker": worker, "label": np.array(label, np.int64)}
        sizes = {"sizes": np.array([*self._sizes, self._standing.fitted]), "gold": self.gold}
        return pack(votes | sizes | kept(self.pool))

    @classmethod
    def of(cls, state: bytes) -> LiveChoices:
        """The state that was packed."""
        arrays = unpack(state)
        tasks, workers, classes, fitted = arrays["sizes"].tolist()
        made = cls(tasks, workers, classes, arrays["gold"])
        made.pool = pool_of(arrays, classes)
        votes = arrays["task"], arrays["worker"], arrays["label"].tolist()
        made._standing = Standing.of(tasks, *votes, fitted)
        return made


def votes_of(step: Step[T], label: Iterable[int]) -> Votes:
    """The answers of a step as votes for a label each."""
    return Votes(step.tasks, step.starts, step.counted, step.worker.astype(np.int32), np.array(label, dtype=np.int32))


def gone_of(step: Step[T], label: Iterable[int]) -> Gone:
    """Those that have gone."""
    return Gone(step.tasks[step.gone.place], step.gone.worker, np.array(label, dtype=np.int64))


def kept(pool: Pool, prefix: str = "") -> dict[str, NDArray[Any]]:
    """A pool as the service keeps it, by name."""
    raters = np.stack([pool.coin.correct, pool.coin.total, *pool.coin.prior])
    found = {
        "pool": np.frombuffer(stored.pool_state(pool), np.uint8),
        "raters": raters,
        "crowd": np.array(pool.coin.crowd),
        "counts": _rows(stored.rater_states(pool)),
        "items": _rows(stored.item_states(pool)),
    }
    return {prefix + name: array for name, array in found.items()}


def pool_of(arrays: Arrays, classes: int, prefix: str = "") -> Pool:
    """The pool that was kept."""
    raters = [
        Rater((right, wrong), correct, total, counts.tobytes())
        for (correct, total, right, wrong), counts in zip(
            arrays[prefix + "raters"].T.tolist(), arrays[prefix + "counts"], strict=True
        )
    ]
    right, everything = arrays[prefix + "crowd"].tolist()
    items = [item.tobytes() for item in arrays[prefix + "items"]]
    return stored.load(classes, arrays[prefix + "pool"].tobytes(), raters, items, (right, everything))


def _rows(states: Sequence[bytes]) -> NDArray[np.uint8]:
    return np.frombuffer(b"".join(states), np.uint8).reshape(len(states), -1 if states else 0)
