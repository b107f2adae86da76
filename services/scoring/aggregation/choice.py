"""The kernel for answers that choose one of a few labels: the posterior of the one-coin model.

Let rater r name the right one of K labels with probability q_r, and each wrong one with (1 - q_r) / (K - 1); let labels
be alike probable beforehand and raters independent given the right one. Then by Bayes' rule

    P(label | votes)  is proportional to  exp( sum of w_r over the votes r for that label ),
    w_r = log(q_r (K - 1) / (1 - q_r)),

as the factor (1 - q_r) / (K - 1) of each vote is common to all labels. This is the E-step of Dawid and Skene (1979)
with one parameter a rater, as in ZenCrowd (Demartini et al. 2012); crowd-kit calls it OneCoinDawidSkene, and Toloka's
dynamic overlap stops by the same posterior. The weights w_r are made in `domain.reliability`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp, fsum

from services.scoring.domain.consensus import Consensus
from services.scoring.domain.reliability import FRESH
from services.scoring.domain.votes import Ballot


def evidence(ballots: Iterable[Ballot], classes: int) -> tuple[float, ...]:
    """The evidence for each label, in nats: the sum of the weights of its votes.

    Rounded once and exactly (`fsum`), so that neither the order of votes nor the names of labels show in the last bit.
    """
    weights: list[list[float]] = [[] for _ in range(classes)]
    for ballot in ballots:
        weights[ballot.label].append(ballot.weight)
    return tuple(map(fsum, weights))


def posterior(evidence: Sequence[float]) -> tuple[float, ...]:
    """The probability of each label from the evidence for it; they sum to 1."""
    top = max(evidence)
    odds = [exp(nats - top) for nats in evidence]
    total = fsum(odds)
    return tuple(odd / total for odd in odds)


def leaders(evidence: Sequence[float]) -> list[int]:
    """The labels with the most evidence: more than one at a draw."""
    top = max(evidence)
    return [label for label, nats in enumerate(evidence) if nats == top]


def consensus(ballots: Sequence[Ballot], nats: Sequence[float], label: int) -> Consensus:
    """The consensus on a label that the kind of answer has chosen among the leaders."""
    first, second = sorted(nats, reverse=True)[:2]
    unanimous = len({ballot.label for ballot in ballots}) == 1
    return Consensus(label, posterior(nats), first - second, len(ballots), unanimous)


def of_a_further_rater(probabilities: Sequence[float]) -> tuple[float, ...]:
    """The probability that one more rater, of whom nothing is known, names each label; they sum to 1.

    The posterior predictive: sum over right labels t of P(t | votes) P(named | t).
    """
    wrong = (1 - FRESH) / (len(probabilities) - 1)
    return tuple(right * FRESH + (1 - right) * wrong for right in probabilities)
