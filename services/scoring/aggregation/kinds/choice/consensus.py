"""What follows from the posterior of a question that asks for one of a few labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from services.scoring.aggregation.models.crowd import Floats
from services.scoring.domain.consensus import Consensus

FURTHER = 0.75
"""How often one more rater, of whom nothing is known, names the right label."""
_LEVEL = 1e-4
"""Labels whose probabilities differ by less are level: that is rounding, or no more than it."""

AtADraw = Callable[[int, Sequence[int]], int]
"""Which of the labels that lead together is told of a question, by its number; it has at least one vote."""


def consensus(posterior: Floats, votes: Floats, worth: Floats, at_a_draw: AtADraw) -> list[Consensus]:
    """The consensus of each question on the most probable label.

    Of each are given the calibrated posterior and the votes for each label, shape (questions, labels), and the worth
    of one more answer.
    """
    leading = posterior >= posterior.max(axis=1, keepdims=True) - _LEVEL
    label = leading.argmax(axis=1)
    for question in np.flatnonzero((leading.sum(axis=1) > 1) & votes.any(axis=1)).tolist():
        label[question] = at_a_draw(question, np.flatnonzero(leading[question]).tolist())
    unanimous = np.count_nonzero(votes, axis=1) == 1
    rows = map(tuple, posterior.tolist())
    return list(map(Consensus, label.tolist(), rows, worth.tolist(), unanimous.tolist()))


def of_a_further_rater(probabilities: Sequence[float]) -> tuple[float, ...]:
    """The probability that one more rater, of whom nothing is known, names each label; they sum to 1.

    The posterior predictive: sum over right labels t of P(t | votes) P(named | t).
    """
    wrong = (1 - FURTHER) / (len(probabilities) - 1)
    return tuple(right * FURTHER + (1 - right) * wrong for right in probabilities)
