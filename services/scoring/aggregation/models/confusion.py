"""Models of choice with a confusion matrix a rater: Dawid and Skene with hierarchical priors, and with subtypes.

Source: Dawid and Skene (1979) for the model; Kim and Ghahramani (2012) for its variational Bayesian form; Li,
Rubinstein and Cohn (2019, "Exploiting worker correlation", EBCC) for subtypes of a class, within which raters err
independently. New here: the prior of a rater's row is the rater's own one coin, or the whole crowd's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from services.scoring.aggregation.models.configuration import Configuration, Member
from services.scoring.aggregation.models.crowd import Crowd, Floats, tally
from services.scoring.aggregation.models.prior import Prior
from services.scoring.aggregation.models.sweeps import compiled, digamma, sweep


@dataclass(frozen=True, slots=True)
class Fit:
    """What was learned: the posterior of each task, each rater's counts, and the subtypes' masses.

    `table` and `log_prior` are what the posterior was made by.
    """

    posterior: NDArray[np.float32]
    counts: Floats
    mass: Floats
    table: NDArray[np.float32]
    log_prior: NDArray[np.float32]


def fit(
    crowd: Crowd, gold: NDArray[np.int32], member: Member, config: Configuration, prior: Prior | None = None
) -> Fit:
    """Fits the model to all answers at once; `prior` is of the raters, fresh ones if there is none."""
    cells = crowd.classes * member.subtypes
    shares = answer_shares(crowd)
    posterior = np.zeros((crowd.tasks, crowd.classes), dtype=np.float32)
    counts, mass = _begun(crowd, gold, member, config, prior)
    table = np.empty((crowd.workers, crowd.classes, cells), dtype=np.float32)
    for _ in range(config.sweeps_of(crowd.votes)):
        log_prior = subtype_prior(mass, shares, member, config)
        tabulate(counts, member, config, table, prior=prior)
        counts[:] = 0
        mass[:] = 0
        moved = sweep(
            crowd.starts, crowd.worker, crowd.label, table, log_prior, gold, member.subtypes, counts, mass, posterior
        )
        if moved < config.settled * crowd.tasks:
            break
    return Fit(posterior, counts, mass, table, log_prior)


def _begun(
    crowd: Crowd, gold: NDArray[np.int32], member: Member, config: Configuration, prior: Prior | None
) -> tuple[Floats, Floats]:
    """Counts and masses of the first step; of a large crowd those that a sample of its tasks comes to."""
    if crowd.votes < config.large:
        return first_guess(crowd, gold, member.subtypes)
    known = np.ascontiguousarray(gold[:: config.sample])  # strided, it would have the kernels compiled once more
    sample = fit(crowd.every(config.sample), known, member, config, prior)
    return sample.counts, sample.mass


def answer_shares(crowd: Crowd) -> Floats:
    """The class frequencies of a crowd's labels."""
    return class_shares(np.bincount(crowd.label, minlength=crowd.classes).astype(np.float64))


@compiled
def class_shares(given: Floats) -> Floats:
    """How frequent the classes are: as the labels given, to the power 1 / (classes - 1), one pseudo-vote each.

    Of two classes the shares of labels tell which is rare. Of many, shares say as much about what raters confuse, and
    to trust them whole would feed the label that wrong answers flock to: the power draws them towards alike. How many
    classes there are is the perplexity of the labels: one that hardly anybody names makes no other one less frequent.
    """
    counts = given + 1.0
    shares = counts / counts.sum()
    classes = np.exp(-np.sum(shares * np.log(shares)))
    shares = shares ** (1.0 / max(classes - 1.0, 1.0))
    return np.asarray(shares / shares.sum())


def first_guess(crowd: Crowd, gold: NDArray[np.int32], subtypes: int) -> tuple[Floats, Floats]:
    """Counts and masses of the first step: each task's vote shares, spread over subtypes by how clear the vote is.

    Subtype m of M takes tasks whose share is near (m + 1/2) / M, by a Gaussian of width 1 / M: no random start, so the
    same answers always give the same fit, whatever the order of tasks.
    """
    votes = tally(crowd)
    share = votes / np.maximum(votes.sum(axis=1, keepdims=True), 1)
    known = np.flatnonzero(gold >= 0)
    share[known] = 0
    share[known, gold[known]] = 1
    counts = np.zeros((crowd.workers, crowd.classes, crowd.classes * subtypes))
    mass = np.zeros(crowd.classes * subtypes)
    _spread(crowd.starts, crowd.worker, crowd.label, share, subtypes, counts, mass)
    return counts, mass


@compiled
def _spread(
    starts: NDArray[np.int64],
    worker: NDArray[np.int32],
    label: NDArray[np.int32],
    share: Floats,
    subtypes: int,
    counts: Floats,
    mass: Floats,
) -> None:
    row = np.empty(share.shape[1] * subtypes)
    for t in range(len(starts) - 1):
        for k in range(share.shape[1]):
            total = 0.0
            for m in range(subtypes):
                row[k * subtypes + m] = np.exp(-0.5 * (share[t, k] * subtypes - m - 0.5) ** 2)
                total += row[k * subtypes + m]
            for m in range(subtypes):
                row[k * subtypes + m] *= share[t, k] / total
        for i in range(starts[t], starts[t + 1]):
            counts[worker[i], label[i]] += row
        mass += row


def subtype_prior(mass: Floats, shares: Floats, member: Member, config: Configuration) -> NDArray[np.float32]:
    """The expected log probability of each subtype: its class's times its own within the class."""
    return _subtype_prior(mass, shares, member.subtypes, config.concentration, member.learns_prior)


@compiled
def _subtype_prior(
    mass: Floats, shares: Floats, subtypes: int, concentration: float, learns: bool
) -> NDArray[np.float32]:
    classes = len(mass) // subtypes
    found = np.empty(len(mass), dtype=np.float32)
    whole = mass.sum() + 2.0
    for k in range(classes):
        own = mass[k * subtypes : (k + 1) * subtypes]
        of_class = log((own.sum() + 2.0 / classes) / whole) if learns else log(shares[k])
        all_within = digamma(own.sum() + concentration) if subtypes > 1 else 0.0
        for m in range(subtypes):
            within = digamma(own[m] + concentration / subtypes) - all_within if subtypes > 1 else 0.0
            found[k * subtypes + m] = of_class + within
    return found


def tabulate(
    counts: Floats,
    member: Member,
    config: Configuration,
    table: NDArray[np.float32],
    *,
    prior: Prior | None = None,
    crowd: Floats | None = None,
) -> None:
    """Writes the raters' table from their counts; `crowd` are the counts of all, where these are not all raters'."""
    classes, named = counts.shape[1], counts.sum(axis=0) if crowd is None else crowd
    prior_rows = crowd_rows(named) if member.pooled else np.empty((0, 0))
    right = float(np.einsum("kkm->", named.reshape(classes, classes, -1)))
    assumed = (prior or Prior.fresh(len(counts), config)).here(right, float(named.sum()), config)
    write_table(counts, prior_rows, *member.shape, *assumed, table)


@compiled
def crowd_rows(counts: Floats) -> Floats:
    """The confusion matrix of the whole crowd, a class a row, from how often it named each label for each class.

    A few pseudo-votes hold it to the diagonal.
    """
    classes = len(counts)
    rows = np.empty((classes, classes))
    for k in range(classes):
        whole = 0.0
        for label in range(classes):
            rows[k, label] = counts[label, k] + (classes if k == label else 0.0) + 1.0
            whole += rows[k, label]
        for label in range(classes):
            rows[k, label] /= whole
    return rows


@compiled
def write_table(
    counts: Floats,
    crowd_rows: Floats,
    subtypes: int,
    strength: float,
    doubt: float,
    right: Floats,
    wrong: Floats,
    table: NDArray[np.float32],
) -> None:
    """The expected log probabilities of each rater's labels: digamma of the Dirichlet's parameters, as in variational
    Bayes. The parameters of row g are counts + strength x prior row + doubt.
    """
    workers, classes, cells = counts.shape
    pooled = len(crowd_rows) > 0
    for j in range(workers):
        correct = 0.0
        total = right[j] + wrong[j]
        for label in range(classes):
            for g in range(cells):
                total += counts[j, label, g]
                if g // subtypes == label:
                    correct += counts[j, label, g]
        skill = (correct + right[j]) / total
        for g in range(cells):
            row = strength + classes * doubt
            for label in range(classes):
                row += counts[j, label, g]
            whole = digamma(row)
            for label in range(classes):
                own = skill if g // subtypes == label else (1 - skill) / (classes - 1)
                prior = crowd_rows[g // subtypes, label] if pooled else own
                table[j, label, g] = digamma(counts[j, label, g] + strength * prior + doubt) - whole
