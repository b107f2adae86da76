"""How far a rater's label can be trusted: one probability a rater, learned from how often others agreed.

These constants are all that scoring assumes before it has seen anything; they are here and nowhere else.

- A fresh rater names the right one of three labels with probability 0.75, worth eight tasks of record (a Beta(6, 2)
  prior). Two raters of reliability q agree with probability q^2 + (1 - q)^2 / 2: lay voters of side-by-side comparisons
  agree on 53 % of pairs, which means q = 0.69, and trained labellers of preferences on 73 %, which means q = 0.84.
  Qualified experts begin in between. Eight tasks let twenty of a rater's own outweigh the assumption, not two.
- No reliability is taken above 0.95: then the best of raters outweighs two fresh ones, never three.
- None is taken below a tenth of the way from chance to certainty (0.40 of three labels): a label never counts against
  itself, so that one or two answers say what their majority says.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log

PRIOR_CORRECT = 6.0
PRIOR_WRONG = 2.0
GREATEST = 0.95
LEAST_ABOVE_CHANCE = 0.1

FRESH = PRIOR_CORRECT / (PRIOR_CORRECT + PRIOR_WRONG)
"""The reliability of a rater of whom nothing is known."""


@dataclass(frozen=True, slots=True)
class Record:
    """What closed tasks say of a rater: of `total` labels, so many (expected, not whole) are the tasks' own."""

    correct: float = 0.0
    total: float = 0.0

    def __add__(self, other: Record) -> Record:
        return Record(self.correct + other.correct, self.total + other.total)

    def __sub__(self, other: Record) -> Record:
        return Record(self.correct - other.correct, self.total - other.total)


def reliability(record: Record, classes: int) -> float:
    """The probability that the rater names the right one of `classes` labels.

    The mean of Beta(PRIOR_CORRECT + correct, PRIOR_WRONG + total - correct), within the bounds above. As the likelihood
    of a single label is linear in it, putting in the mean is the same as integrating over the distribution.
    """
    mean = (PRIOR_CORRECT + record.correct) / (PRIOR_CORRECT + PRIOR_WRONG + record.total)
    return min(max(mean, _least(classes)), GREATEST)


def weight(reliability: float, classes: int) -> float:
    """The evidence that a label brings for itself, in nats: log(q / ((1 - q) / (K - 1))).

    The logarithm of the likelihood ratio between "this label is right" and "that other one is", when errors fall on
    the K - 1 other labels alike: the one-coin case of Dawid and Skene (1979); for K = 2 the optimal weight of Nitzan
    and Paroush (1982).
    """
    return log(reliability * (classes - 1) / (1 - reliability))


def greatest_weight(classes: int) -> float:
    """The most evidence that any single label can bring, in nats."""
    return weight(GREATEST, classes)


def _least(classes: int) -> float:
    chance = 1 / classes
    return chance + LEAST_ABOVE_CHANCE * (1 - chance)
