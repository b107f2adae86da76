"""What the votes of a task agree on, whatever the kind of answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Consensus:
    """A label with what speaks for it."""

    label: int
    """The label chosen: the most probable one."""
    probabilities: tuple[float, ...]
    """The posterior of each label; they sum to 1."""
    lead: float
    """The evidence between the most probable label and the next, in nats; 0 at a draw."""
    votes: int
    """The number of votes it stands on."""
    unanimous: bool
    """Whether all votes name the same label."""

    @property
    def confidence(self) -> float:
        """The probability that the chosen label is right."""
        return self.probabilities[self.label]
