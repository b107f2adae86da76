"""What follows from the posterior of a question that asks for one of a few labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from services.scoring.domain.consensus import Consensus
from services.scoring.domain.votes import Ballot

FURTHER = 0.75
"""How often one more rater, of whom nothing is known, names the right label."""
_LEVEL = 1e-4
"""Labels whose probabilities differ by less are level: that is rounding, or no more than it."""

AtADraw = Callable[[Sequence[int], Sequence[Ballot]], int]
"""Which of the labels that lead together is told; given are the ballots, at least one."""


def consensus(
    ballots: Sequence[Ballot], probabilities: Sequence[float], at_a_draw: AtADraw, worth: float = 1.0
) -> Consensus:
    """The consensus of at least one ballot on the most probable label."""
    leading = leaders(probabilities)
    label = leading[0] if len(leading) == 1 else at_a_draw(leading, ballots)
    unanimous = len({ballot.label for ballot in ballots}) == 1
    return Consensus(label, tuple(probabilities), worth, unanimous)


def leaders(probabilities: Sequence[float]) -> list[int]:
    """The most probable labels: more than one at a draw."""
    top = max(probabilities)
    return [label for label, probability in enumerate(probabilities) if probability >= top - _LEVEL]


def of_a_further_rater(probabilities: Sequence[float]) -> tuple[float, ...]:
    """The probability that one more rater, of whom nothing is known, names each label; they sum to 1.

    The posterior predictive: sum over right labels t of P(t | votes) P(named | t).
    """
    wrong = (1 - FURTHER) / (len(probabilities) - 1)
    return tuple(right * FURTHER + (1 - right) * wrong for right in probabilities)
