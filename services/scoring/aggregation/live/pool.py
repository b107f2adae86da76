"""The consensus of choices as answers come in: the models of the mixture, kept up to date step by step.

A pool is what learns together: items that ask for a label of the same set, and the raters who answer them. Its state
is what the models are made of: each rater's counts, the masses of the classes, and what each item holds in them. A
batch of answers is one step: the items it touches are scored anew by the tables of the moment, and what they held in
the counts gives way to what is new (incremental EM, Neal and Hinton 1998). A fit, now and then, scores all anew as the
batch does. The likelihoods are those of the batch, function by function.

Raters and items of a pool may be a part of all: those that a step touches, which is what is read from the database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models import confusion, mixture, one_coin
from services.scoring.aggregation.models.configuration import DEFAULT, Configuration, Member
from services.scoring.aggregation.models.confusion import class_shares, subtype_prior, tabulate
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints
from services.scoring.aggregation.models.one_coin import weights
from services.scoring.aggregation.models.prior import Prior
from services.scoring.aggregation.models.sweeps import revise, revise_one_coin


class Votes(NamedTuple):
    """The standing votes of some items, item by item; of each those first that the state counts already."""

    item: Ints
    starts: Ints
    """Where each item's votes begin; one entry more than there are items."""
    counted: Ints
    """How many of each item's votes the state counts."""
    worker: NDArray[np.int32]
    label: NDArray[np.int32]


class Gone(NamedTuple):
    """Votes that the state counts and that no longer stand."""

    item: Ints
    worker: Ints
    label: Ints


@dataclass(slots=True)
class Coin:
    """The state of the one-coin model."""

    correct: Floats
    total: Floats
    held: NDArray[np.float32]
    prior: Prior
    crowd: tuple[float, float]
    """How many votes of all raters are right (expected), and in all."""

    @property
    def sums(self) -> tuple[float, float]:
        """The same of these raters alone."""
        return float(self.correct.sum()), float(self.total.sum())

    def weights(self, classes: int, config: Configuration) -> NDArray[np.float32]:
        """The evidence of each rater's vote, in nats."""
        return weights(self.correct, self.total, classes, config, self.prior, self.crowd)


@dataclass(slots=True)
class Matrices:
    """The state of one model with confusion matrices; `crowd` are the counts of all raters together."""

    member: Member
    counts: Floats
    crowd: Floats
    mass: Floats
    held: NDArray[np.float32]

    def table(self, prior: Prior, config: Configuration) -> NDArray[np.float32]:
        """The expected log probability of each rater's labels."""
        table = np.empty(self.counts.shape, dtype=np.float32)
        tabulate(self.counts, self.member, config, table, prior=prior, crowd=self.crowd)
        return table

    def log_prior(self, shares: Floats, config: Configuration) -> NDArray[np.float32]:
        """The expected log probability of each subtype."""
        return subtype_prior(self.mass, shares, self.member, config)

    def revise(self, votes: Votes, table: NDArray[np.float32], log_prior: NDArray[np.float32]) -> None:
        """Scores items anew; what they held in the counts gives way."""
        before = self.counts.sum(axis=0)
        revise(*votes, table, log_prior, self.member.subtypes, self.counts, self.mass, self.held)
        self.crowd += self.counts.sum(axis=0) - before

    def withdraw(self, gone: Gone) -> None:
        """Takes votes out of the counts."""
        np.subtract.at(self.counts, (gone.worker, gone.label), self.held[gone.item])
        np.subtract.at(self.crowd, gone.label, self.held[gone.item])

    def posterior(self, items: Ints) -> Floats:
        """The posterior of items, shape (items, classes)."""
        held = self.held[items].reshape(len(items), -1, self.member.subtypes)
        return np.asarray(held.sum(axis=2, dtype=np.float64))


@dataclass(slots=True)
class Pool:
    """The state of a pool."""

    given: Floats
    """How many standing votes name each label."""
    coin: Coin
    matrices: list[Matrices]
    """Of the models whose tables are small enough to be held; for the others the one coin stands in."""
    config: Configuration = DEFAULT

    @classmethod
    def empty(cls, items: int, workers: int, classes: int, config: Configuration = DEFAULT) -> Pool:
        """The state before the first answer."""
        coin = Coin(
            np.zeros(workers),
            np.zeros(workers),
            np.zeros((items, classes), dtype=np.float32),
            Prior.fresh(workers, config),
            (0.0, 0.0),
        )
        held = [member for member in config.members if config.holds(member, workers, classes)]
        return cls(np.zeros(classes), coin, [_no_counts(member, items, workers, classes) for member in held], config)

    @property
    def classes(self) -> int:
        """The number of labels."""
        return len(self.given)

    def step(self, votes: Votes, gone: Gone) -> None:
        """Takes what has come: votes that no longer stand go out, then the items are scored by all that stand."""
        before = self.coin.sums
        self._withdraw(gone)
        weight = self.coin.weights(self.classes, self.config)
        fresh = _fresh(votes)
        np.add.at(self.given, votes.label[fresh], 1.0)
        np.add.at(self.coin.total, votes.worker[fresh], 1.0)
        shares = class_shares(self.given)
        tables = [model.table(self.coin.prior, self.config) for model in self.matrices]
        log_priors = [model.log_prior(shares, self.config) for model in self.matrices]
        revise_one_coin(*votes, weight, np.log(shares).astype(np.float32), self.coin.correct, self.coin.held)
        for model, table, log_prior in zip(self.matrices, tables, log_priors, strict=True):
            model.revise(votes, table, log_prior)
        right, everything = (
            whole + now - then for whole, now, then in zip(self.coin.crowd, self.coin.sums, before, strict=True)
        )
        self.coin.crowd = right, everything

    def fit(self, crowd: Crowd) -> None:
        """Scores all anew from all votes, as the batch does; the pool is then exactly what the batch finds."""
        known = np.full(crowd.tasks, -1, dtype=np.int32)
        self.given = np.bincount(crowd.label, minlength=crowd.classes).astype(np.float64)
        coin = one_coin.fit(crowd, known, self.config, self.coin.prior)
        self.coin = Coin(coin.correct, coin.total, coin.posterior, self.coin.prior, (0.0, 0.0))
        self.coin.crowd = self.coin.sums
        votes = Votes(
            np.arange(crowd.tasks), crowd.starts, np.zeros(crowd.tasks, dtype=np.int64), crowd.worker, crowd.label
        )
        self.matrices = [self._fitted(crowd, known, model.member, votes) for model in self.matrices]

    def widen(self, items: int) -> None:
        """Makes room for more items, of which nothing is held."""
        more = (0, max(items - len(self.coin.held), 0)), (0, 0)
        self.coin.held = np.pad(self.coin.held, more)
        for model in self.matrices:
            model.held = np.pad(model.held, more)

    def forget(self, items: Ints) -> None:
        """Takes items out, all votes of which have gone."""
        self.coin.held[items] = 0
        for model in self.matrices:
            model.mass -= model.held[items].sum(axis=0, dtype=np.float64)
            model.held[items] = 0

    def members(self, items: Ints, votes: Floats) -> Floats:
        """The posteriors of items by each model, shape (models, items, classes); `votes` for each label, as `tally`."""
        coin = self.coin.held[items].astype(np.float64)
        found = {model.member: model.posterior(items) for model in self.matrices}
        return np.stack([mixture.vote_shares(votes), coin, *(found.get(each, coin) for each in self.config.members)])

    def _fitted(self, crowd: Crowd, known: NDArray[np.int32], member: Member, votes: Votes) -> Matrices:
        """A model's state by a fit: the items hold what its last step gave them, so that counts are sums of that."""
        fit = confusion.fit(crowd, known, member, self.config, self.coin.prior)
        state = _no_counts(member, crowd.tasks, crowd.workers, crowd.classes)
        state.revise(votes, fit.table, fit.log_prior)
        return state

    def _withdraw(self, gone: Gone) -> None:
        np.subtract.at(self.given, gone.label, 1.0)
        np.subtract.at(self.coin.total, gone.worker, 1.0)
        np.subtract.at(self.coin.correct, gone.worker, self.coin.held[gone.item, gone.label])
        for model in self.matrices:
            model.withdraw(gone)


def _no_counts(member: Member, items: int, workers: int, classes: int) -> Matrices:
    cells = classes * member.subtypes
    counts, held = np.zeros((workers, classes, cells)), np.zeros((items, cells), dtype=np.float32)
    return Matrices(member, counts, np.zeros((classes, cells)), np.zeros(cells), held)


def _fresh(votes: Votes) -> NDArray[np.bool_]:
    """Which votes the state does not count yet."""
    sizes = np.diff(votes.starts)
    place = np.arange(len(votes.worker)) - np.repeat(votes.starts[:-1], sizes)
    return np.asarray(place >= np.repeat(votes.counted, sizes))


def warm_up() -> None:
    """Compiles the kernels, or loads those that are compiled, so that the first answers need not wait for it."""
    pool, nobody = Pool.empty(1, 2, 2), np.empty(0, dtype=np.int64)
    worker, label = np.array([0, 1], dtype=np.int32), np.array([0, 0], dtype=np.int32)
    pool.step(Votes(np.array([0]), np.array([0, 2]), np.array([0]), worker, label), Gone(nobody, nobody, nobody))
    pool.fit(Crowd(np.array([0, 2]), worker, label, workers=2, classes=2))
