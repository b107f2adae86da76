"""What the votes on a question agree on, whatever the kind of answer."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log
from typing import NamedTuple

from services.scoring.domain.votes import Ballot


class Consensus(NamedTuple):
    """A label with what speaks for it."""

    label: int
    """The label chosen: the most probable one."""
    probabilities: tuple[float, ...]
    """The calibrated posterior of each label; they sum to 1."""
    worth: float
    """How much more probably it were right per further answer, as far as more may come; 0 if it is settled."""
    unanimous: bool
    """Whether all votes name the same label."""

    @property
    def confidence(self) -> float:
        """The probability that the chosen label is right."""
        return self.probabilities[self.label]

    @property
    def lead(self) -> float:
        """The evidence between the most probable label and the next, in nats; 0 at a draw."""
        second, first = sorted(self.probabilities)[-2:]
        return log(first / second) if second > 0 else inf


class Finding(NamedTuple):
    """What is known of one question after the votes so far."""

    consensus: Consensus | None
    """`None` if no expert could assess the question."""
    ballots: Sequence[Ballot]
    """What the standing votes say."""
    abstained: int
    """The number of experts who could not assess it."""

    @property
    def votes(self) -> int:
        """The number of standing votes."""
        return len(self.ballots)

    @property
    def confidence(self) -> float:
        """The probability that the chosen label is right; 0 where there is none."""
        return self.consensus.confidence if self.consensus else 0.0

    @property
    def label(self) -> int | None:
        """The label found, if there is one."""
        return self.consensus.label if self.consensus else None
