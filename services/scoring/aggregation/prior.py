"""What is assumed of a rater before their answers here are seen: a Beta distribution of how often they are right."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.configuration import Configuration
from services.scoring.aggregation.crowd import Floats


class Prior(NamedTuple):
    """Votes that each rater is taken to have got right, and not, by number; both above 0."""

    right: Floats
    wrong: Floats

    @classmethod
    def fresh(cls, workers: int, config: Configuration) -> Prior:
        """That of raters of whom nothing is known."""
        return cls(np.full(workers, config.right), np.full(workers, config.wrong))
