"""What is assumed of a rater before their answers here are seen: a Beta distribution of how often they are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.models.configuration import Configuration
from services.scoring.aggregation.models.crowd import Floats
from services.scoring.aggregation.models.sweeps import compiled


class Prior(NamedTuple):
    """Votes that each rater is taken to have got right, and not, by number; both above 0."""

    right: Floats
    wrong: Floats

    @classmethod
    def fresh(cls, workers: int, config: Configuration) -> Prior:
        """That of raters of whom nothing is known."""
        return cls(np.full(workers, config.right), np.full(workers, config.wrong))

    def here(self, correct: float, total: float, config: Configuration) -> Prior:
        """The same where the crowd has `correct` of `total` votes right: its mean is that of a fresh rater there.

        What is known of a rater beyond that is relative to it: the odds travel (`domain.skill`).
        """
        right, wrong = config.fresh(correct, total)
        return Prior(*_shifted(self.right, self.wrong, (right / wrong) / (config.right / config.wrong)))


@compiled
def _shifted(right: Floats, wrong: Floats, times: float) -> tuple[Floats, Floats]:
    """As many votes, at so many times the odds."""
    odds, votes = right / wrong * times, right + wrong
    return votes * odds / (1.0 + odds), votes / (1.0 + odds)
