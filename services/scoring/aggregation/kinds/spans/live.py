"""Spans as they come: one pool, whose items are the pieces that the cuts of a task's raters make.

An answer to a task may cut its pieces anew. So what all pieces of a task that a step touches hold in the counts gives
way, and those that its answers make by now come in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import numpy as np

from services.scoring.aggregation.kinds.choice.live import kept, pool_of
from services.scoring.aggregation.kinds.spans import consensus as spans
from services.scoring.aggregation.kinds.spans.consensus import Marked, Span
from services.scoring.aggregation.live.bytes import pack, unpack
from services.scoring.aggregation.live.pool import Gone, Pool, Votes
from services.scoring.aggregation.live.standing import Standing, Step
from services.scoring.aggregation.models import mixture
from services.scoring.aggregation.models.configuration import DEFAULT
from services.scoring.aggregation.models.crowd import Crowd, Ints, crowd, tally

Marks = tuple[Span, ...]


class LiveSpans:
    """The state for so many tasks and raters."""

    def __init__(self, tasks: int, workers: int) -> None:
        """Before the first answer."""
        self.pool = Pool.empty(0, workers, 2)
        self._sizes = (tasks, workers)
        self._standing: Standing[Marks] = Standing(tasks)
        self._pieces: list[list[Span]] = [[] for _ in range(tasks)]
        self._items: list[Ints] = [np.empty(0, dtype=np.int64) for _ in range(tasks)]
        """The number in the pool of each task's pieces."""
        self._numbered = 0

    def take(self, task: Ints, worker: Ints, marks: Sequence[Marks]) -> None:
        """One step; and a fit, where the answers have grown enough since the last one."""
        step = self._standing.take(task, worker, marks)
        if self._standing.due:
            self.fit()
        elif len(step.tasks):
            self._step(step)

    def fit(self) -> None:
        """Cuts and scores all anew; pieces are numbered through again."""
        self._numbered = 0
        self._cut(range(self._sizes[0]))
        self.pool = Pool.empty(self._numbered, self._sizes[1], 2)
        if self._numbered:
            self.pool.fit(self._crowd())
        self._standing.fitted = self._standing.size

    def consensus(self) -> dict[int, list[Marked]]:
        """The spans of each task with answers."""
        items = np.concatenate([np.empty(0, dtype=np.int64), *self._items])
        members = self.pool.members(items, tally(self._crowd()))
        likely = iter(mixture.calibrated(members, None, DEFAULT)[:, 1].tolist())
        found = {t: spans.joined(some, [next(likely) for _ in some]) for t, some in enumerate(self._pieces)}
        return {t: found[t] for t in found if self._standing.of_task(t)}

    def packed(self) -> bytes:
        """The state as bytes; pieces follow from the answers, and are numbered through again."""
        task, worker, marks = self._standing.rows()
        arrays = kept(self.pool) | {"task": task, "worker": worker}
        items = np.concatenate([np.empty(0, dtype=np.int64), *self._items])
        arrays["items"] = arrays["items"][items] if len(items) else np.empty((0, 0), np.uint8)
        arrays["marks"] = np.array(list(chain.from_iterable(marks)), dtype=np.int64).reshape(-1, 2)
        arrays["ends"] = np.cumsum([len(some) for some in marks], dtype=np.int64)
        arrays["sizes"] = np.array([*self._sizes, self._standing.fitted])
        return pack(arrays)

    @classmethod
    def of(cls, state: bytes) -> LiveSpans:
        """The state that was packed."""
        arrays = unpack(state)
        tasks, workers, fitted = arrays["sizes"].tolist()
        made = cls(tasks, workers)
        marks = [tuple(Span(*row) for row in some.tolist()) for some in np.split(arrays["marks"], arrays["ends"])[:-1]]
        made._standing = Standing.of(tasks, arrays["task"], arrays["worker"], marks, fitted)
        made._cut(range(tasks))
        made.pool = pool_of(arrays, 2)
        return made

    def _step(self, step: Step[Marks]) -> None:
        tasks = step.tasks.tolist()
        old = np.concatenate([self._items[t] for t in tasks])
        gone = spans.votes_on((self._pieces[t], before) for t, before in zip(tasks, _before(step), strict=True))
        self._cut(tasks)
        new = np.concatenate([self._items[t] for t in tasks])
        came = self._votes(tasks)
        starts = np.concatenate(([0], np.cumsum(np.bincount(came.piece, minlength=len(new)))))
        nothing, worker, label = (
            np.zeros(len(new), np.int64),
            came.worker.astype(np.int32),
            came.marked.astype(np.int32),
        )
        self.pool.widen(_room(self._numbered, len(self.pool.coin.held)))
        self.pool.step(Votes(new, starts, nothing, worker, label), Gone(old[gone.piece], gone.worker, gone.marked))
        self.pool.forget(old)

    def _cut(self, tasks: Sequence[int]) -> None:
        """Cuts tasks by their answers, and numbers their pieces."""
        for t in tasks:
            self._pieces[t] = spans.cut(list(self._standing.of_task(t).items()))
            self._items[t] = np.arange(self._numbered, self._numbered + len(self._pieces[t]))
            self._numbered += len(self._pieces[t])

    def _votes(self, tasks: Sequence[int]) -> spans.Votes:
        return spans.votes_on((self._pieces[t], list(self._standing.of_task(t).items())) for t in tasks)

    def _crowd(self) -> Crowd:
        """The votes on all pieces, task by task."""
        votes, count = self._votes(range(self._sizes[0])), sum(map(len, self._pieces))
        return crowd(votes.piece, votes.worker, votes.marked, tasks=count, workers=self._sizes[1], classes=2)


def _before(step: Step[Marks]) -> list[list[tuple[int, Marks]]]:
    """What the answers to each task marked before the step, by rater."""
    found: list[list[tuple[int, Marks]]] = [[] for _ in step.tasks]
    counted = np.flatnonzero(~step.fresh)
    for place, worker, n in zip(step.place[counted].tolist(), step.worker[counted].tolist(), counted, strict=True):
        found[place].append((worker, step.what[n]))
    for place, worker, what in zip(step.gone.place.tolist(), step.gone.worker.tolist(), step.gone.what, strict=True):
        found[place].append((worker, what))
    return found


def _room(needed: int, there: int) -> int:
    """Twice the room there is, where it is too little: so it seldom grows."""
    return there if needed <= there else max(needed, 2 * there)
