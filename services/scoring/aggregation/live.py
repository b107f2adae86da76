"""The consensus of choices as answers come in: the models of the mixture, kept up to date step by step.

State is what the models are made of: each rater's counts, the masses of the classes, and what each task holds in them.
A batch of answers is one step: the tasks it touches are scored anew by the tables of the moment, and what they held in
the counts gives way to what is new (incremental EM, Neal and Hinton 1998). As many tasks again, those that were scored
longest ago, are scored with them: so early tasks too learn what is known of their raters by now. The likelihoods are
those of the batch, function by function.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation import confusion, mixture, one_coin
from services.scoring.aggregation.configuration import DEFAULT, Configuration, Member
from services.scoring.aggregation.confusion import Fit, class_shares, subtype_prior, tabulate
from services.scoring.aggregation.crowd import Crowd, Floats, Ints, tally
from services.scoring.aggregation.crowd import crowd as crowd_of
from services.scoring.aggregation.one_coin import weights
from services.scoring.aggregation.sweeps import revise, revise_one_coin


@dataclass(slots=True)
class Slots:
    """Room for the votes of each task: those of task `t` begin at `starts[t]`, and `filled[t]` have come."""

    starts: Ints
    worker: NDArray[np.int32]
    label: NDArray[np.int32]
    filled: Ints
    counted: Ints

    @classmethod
    def of(cls, room: Ints) -> Slots:
        """Empty slots, so many for each task."""
        starts = np.concatenate(([0], np.cumsum(room)))
        size = int(starts[-1])
        empty = np.zeros((2, size), dtype=np.int32)
        return cls(starts, empty[0], empty[1], np.zeros_like(room), np.zeros_like(room))


@dataclass(slots=True)
class Matrices:
    """The state of one model with confusion matrices."""

    member: Member
    counts: Floats
    mass: Floats
    held: NDArray[np.float32]

    @classmethod
    def empty(cls, member: Member, tasks: int, workers: int, classes: int) -> Matrices:
        """The state before the first answer."""
        cells = classes * member.subtypes
        counts = np.zeros((workers, classes, cells))
        return cls(member, counts, np.zeros(cells), np.zeros((tasks, cells), dtype=np.float32))

    def withdraw(self, task: int, worker: int, label: int) -> None:
        """Takes out of the counts what a vote put in, before its own rater replaces it."""
        self.counts[worker, label] -= self.held[task]

    def step(self, touched: Ints, slots: Slots, shares: Floats, gold: NDArray[np.int32], config: Configuration) -> None:
        """Scores the tasks anew by the tables that the counts make."""
        prior = subtype_prior(self.mass, shares, self.member, config)
        table = np.empty(self.counts.shape, dtype=np.float32)
        tabulate(self.counts, self.member, config, table)
        self._revise(touched, slots, slots.counted, table, prior, gold)

    def adopt(self, fit: Fit, slots: Slots, shares: Floats, gold: NDArray[np.int32], config: Configuration) -> None:
        """Takes the place of what was learned by what a fit has learned from the same answers."""
        prior = subtype_prior(fit.mass, shares, self.member, config)
        table = np.empty(self.counts.shape, dtype=np.float32)
        tabulate(fit.counts, self.member, config, table)
        self.counts[:] = 0
        self.mass[:] = 0
        self._revise(np.flatnonzero(slots.filled), slots, np.zeros_like(slots.counted), table, prior, gold)

    def _revise(
        self,
        touched: Ints,
        slots: Slots,
        counted: Ints,
        table: NDArray[np.float32],
        prior: NDArray[np.float32],
        gold: NDArray[np.int32],
    ) -> None:
        groups = self.member.subtypes
        votes = (slots.starts, counted, slots.filled, slots.worker, slots.label)
        revise(touched, *votes, table, prior, gold, groups, self.counts, self.mass, self.held)

    def posterior(self) -> Floats:
        """The posterior of each task, shape (tasks, classes)."""
        by_class = self.held.reshape(len(self.held), -1, self.member.subtypes)
        return np.asarray(by_class.sum(axis=2, dtype=np.float64))


@dataclass(slots=True)
class Live:
    """The mixture as answers come in."""

    slots: Slots
    workers: int
    classes: int
    config: Configuration = DEFAULT
    gold: NDArray[np.int32] = field(init=False)
    given: Floats = field(init=False)
    correct: Floats = field(init=False)
    total: Floats = field(init=False)
    coin: NDArray[np.float32] = field(init=False)
    matrices: list[Matrices] = field(init=False)
    scored: Ints = field(init=False)
    steps: int = 0
    rescored: int = 0

    def __post_init__(self) -> None:
        tasks = len(self.slots.filled)
        self.gold = np.full(tasks, -1, dtype=np.int32)
        self.given = np.zeros(self.classes)
        self.correct = np.zeros(self.workers)
        self.total = np.zeros(self.workers)
        self.coin = np.zeros((tasks, self.classes), dtype=np.float32)
        self.matrices = [
            Matrices.empty(member, tasks, self.workers, self.classes)
            for member in (self.config.crowd, self.config.subtype)
        ]
        self.scored = np.full(tasks, -1, dtype=np.int64)

    def take(self, task: Ints, worker: Ints, label: Ints) -> None:
        """One step: stores the answers in their order, then scores their tasks and as many of the others."""
        for t, w, named in zip(task.tolist(), worker.tolist(), label.tolist(), strict=True):
            self._store(t, w, named)
        self.steps += 1
        touched = np.unique(task)
        self._score(touched)
        seen = np.flatnonzero((self.slots.filled > 0) & (self.scored < self.steps))
        size = min(len(touched) * self.config.refresh, len(seen))
        if size:
            self._score(seen[np.argpartition(self.scored[seen], size - 1)[:size]])
        if self.slots.filled.sum() >= (1 + self.config.growth) * self.rescored:
            self.rescore()

    def posterior(self, gold: NDArray[np.int32] | None = None) -> Floats:
        """The calibrated posterior of each task, as of its last scoring; `gold` as for the batch."""
        members = [mixture.vote_shares(tally(self.crowd())), self.coin.astype(np.float64)]
        found = np.stack([*members, *(model.posterior() for model in self.matrices)])
        return mixture.calibrated(found, gold, self.config)

    def _store(self, task: int, worker: int, label: int) -> None:
        begin, end = self.slots.starts[task], self.slots.starts[task] + self.slots.filled[task]
        self.given[label] += 1
        for i in range(begin, end):
            if self.slots.worker[i] == worker:
                self._withdraw(task, i)
                break
        else:
            i = end
            self.slots.filled[task] += 1
        self.slots.worker[i], self.slots.label[i] = worker, label
        self._restore(task, i)

    def _withdraw(self, task: int, i: int) -> None:
        """Takes a vote back that its rater replaces."""
        worker, label = self.slots.worker[i], self.slots.label[i]
        self.given[label] -= 1
        if i < self.slots.starts[task] + self.slots.counted[task]:
            self.correct[worker] -= self.coin[task, label]
            for model in self.matrices:
                model.withdraw(task, worker, label)

    def _restore(self, task: int, i: int) -> None:
        """Puts a vote in a place that is counted already in with the weight of its new label."""
        if i < self.slots.starts[task] + self.slots.counted[task]:
            worker, label = self.slots.worker[i], self.slots.label[i]
            self.correct[worker] += self.coin[task, label]
            for model in self.matrices:
                model.counts[worker, label] += model.held[task]

    def _score(self, touched: Ints) -> None:
        slots, shares = self.slots, class_shares(self.given)
        weight = weights(self.correct, self.total, self.classes, self.config)
        for model in self.matrices:
            model.step(touched, slots, shares, self.gold, self.config)
        self._revise_coin(touched, slots.counted, weight, shares)
        seen = slots.counted[touched]
        fresh = _positions(slots.starts[touched] + seen, slots.filled[touched] - seen)
        self.total += np.bincount(slots.worker[fresh], minlength=self.workers)
        slots.counted[touched] = slots.filled[touched]
        self.scored[touched] = self.steps

    def rescore(self) -> None:
        """Scores everything anew at once, as the batch does; what came since the last time counts from now on alike."""
        slots, votes = self.slots, self.crowd()
        shares = class_shares(self.given)
        coin = one_coin.fit(votes, self.gold, self.config)
        self.total[:] = coin.total
        self.correct[:] = 0
        self._revise_coin(
            np.flatnonzero(slots.filled),
            np.zeros_like(slots.counted),
            weights(coin.correct, coin.total, self.classes, self.config),
            shares,
        )
        for model in self.matrices:
            fit = confusion.fit(votes, self.gold, model.member, self.config)
            model.adopt(fit, slots, shares, self.gold, self.config)
        slots.counted[:] = slots.filled
        self.scored[slots.filled > 0] = self.steps
        self.rescored = int(slots.filled.sum())

    def crowd(self) -> Crowd:
        """The votes that stand by now."""
        here = _positions(self.slots.starts[:-1], self.slots.filled)
        return crowd_of(
            np.repeat(np.arange(len(self.gold)), self.slots.filled),
            self.slots.worker[here].astype(np.int64),
            self.slots.label[here].astype(np.int64),
            tasks=len(self.gold),
            workers=self.workers,
            classes=self.classes,
        )

    def _revise_coin(self, touched: Ints, counted: Ints, weight: NDArray[np.float32], shares: Floats) -> None:
        slots = self.slots
        votes = (slots.starts, counted, slots.filled, slots.worker, slots.label)
        prior = np.log(shares).astype(np.float32)
        revise_one_coin(touched, *votes, weight, prior, self.gold, self.correct, self.coin)


def _positions(begins: Ints, lengths: Ints) -> Ints:
    """All positions of runs that begin here and are so long."""
    offsets = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    return np.asarray(np.repeat(begins, lengths) + offsets)
