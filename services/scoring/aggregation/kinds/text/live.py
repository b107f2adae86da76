"""Texts as they come: each rater's errors, and of each task its consensus and the draft that errors are counted by.

A step finds the consensus of the tasks that it touches by the raters' errors of the moment, as a round of the batch
does; then what these tasks have in the errors gives way to what their new drafts say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.kinds.text import consensus as text
from services.scoring.aggregation.kinds.text.alignment import Words
from services.scoring.aggregation.kinds.text.consensus import Errors, Text
from services.scoring.aggregation.live.bytes import pack, unpack
from services.scoring.aggregation.live.standing import Standing
from services.scoring.aggregation.models.crowd import Ints

_WORD = np.dtype("<i4")


class LiveTexts:
    """The state for so many tasks and raters; who has the words numbers them."""

    def __init__(self, tasks: int, workers: int) -> None:
        """Before the first text."""
        self.errors = Errors(np.zeros(workers), np.zeros(workers))
        self.told: dict[int, Words] = {}
        self.drafts: dict[int, Words] = {}
        self._sizes = (tasks, workers)
        self._standing: Standing[bytes] = Standing(tasks)

    def take(self, task: Ints, worker: Ints, words: Sequence[Words]) -> None:
        """One step; and a fit, where the texts have grown enough since the last one."""
        step = self._standing.take(task, worker, [some.astype(_WORD).tobytes() for some in words])
        if self._standing.due:
            self.fit()
            return
        counted = np.flatnonzero(~step.fresh)
        before = _texts(step.tasks[step.place[counted]], step.worker[counted], [step.what[n] for n in counted])
        self._step(step.tasks, before + _texts(step.tasks[step.gone.place], step.gone.worker, step.gone.what))

    def fit(self) -> None:
        """Finds all anew."""
        self.told, self.drafts, self.errors = text.fit(_texts(*self._standing.rows()), self._sizes[1])
        self._standing.fitted = self._standing.size

    def packed(self) -> bytes:
        """The state as bytes."""
        task, worker, texts = self._standing.rows()
        known = np.array(list(self.told), dtype=np.int64)
        said = {"task": task, "worker": worker} | _flat("text", [np.frombuffer(some, _WORD) for some in texts])
        held = _flat("told", list(self.told.values())) | _flat("draft", [self.drafts[t] for t in self.told])
        sizes = np.array([*self._sizes, self._standing.fitted])
        return pack(said | held | {"known": known, "sizes": sizes, "errors": np.stack(self.errors)})

    @classmethod
    def of(cls, state: bytes) -> LiveTexts:
        """The state that was packed."""
        arrays = unpack(state)
        tasks, workers, fitted = arrays["sizes"].tolist()
        made, known = cls(tasks, workers), arrays["known"].tolist()
        made.errors = Errors(*arrays["errors"])
        made.told = dict(zip(known, _cut(arrays, "told"), strict=True))
        made.drafts = dict(zip(known, _cut(arrays, "draft"), strict=True))
        texts = [some.tobytes() for some in _cut(arrays, "text")]
        made._standing = Standing.of(tasks, arrays["task"], arrays["worker"], texts, fitted)
        return made

    def _step(self, tasks: Ints, before: Sequence[Text]) -> None:
        """The consensus of tasks; `before` are the texts to them that errors count."""
        workers, rates = self._sizes[1], self.errors.rates()
        groups = {t: self._group(t) for t in tasks.tolist()}
        old = Errors.of(before, self.drafts, workers)
        self.drafts |= {t: text.draft(group, rates) for t, group in groups.items()}
        new = Errors.of((one for group in groups.values() for one in group), self.drafts, workers)
        self.errors = Errors(*(now - gone + came for now, gone, came in zip(self.errors, old, new, strict=True)))
        rates = self.errors.rates()
        self.told |= {t: text.fuse(group, self.drafts[t], rates) for t, group in groups.items()}

    def _group(self, task: int) -> list[Text]:
        said = self._standing.of_task(task)
        return _texts(np.full(len(said), task), np.array(list(said)), list(said.values()))


def _texts(task: NDArray[np.integer], worker: NDArray[np.integer], texts: Sequence[bytes]) -> list[Text]:
    rows = zip(task.tolist(), worker.tolist(), texts, strict=True)
    return [Text(t, w, np.frombuffer(some, _WORD).astype(np.int32)) for t, w, some in rows]


def _flat(name: str, texts: Sequence[Words]) -> dict[str, NDArray[np.integer]]:
    """Texts as two arrays: all their words, and where each one ends."""
    ends = np.cumsum([len(some) for some in texts], dtype=np.int64)
    return {name: np.concatenate([np.empty(0, np.int32), *texts]), f"{name}_ends": ends}


def _cut(arrays: Mapping[str, NDArray[np.integer]], name: str) -> list[Words]:
    return [some.astype(np.int32) for some in np.split(arrays[name], arrays[f"{name}_ends"])[:-1]]
