"""How long answers take in a project, and when one came faster than anybody works.

Times are compared by their logarithms, which are spread alike on both sides. Three standard deviations below the mean
is the bound below which Prolific lets researchers reject for speed.
"""

from __future__ import annotations

from math import exp, log, sqrt
from typing import NamedTuple

DEVIATIONS = 3.0
LEAST_ANSWERS = 30
"""So many timed answers it takes to know what is usual."""
_LEAST_SPREAD = 0.2
"""No project is taken to be so uniform that a fifth less time would be three deviations."""


class Pace(NamedTuple):
    """Sums over the timed answers of a project: their number, the logs of their seconds, and the squares of these."""

    answers: int = 0
    logs: float = 0.0
    squares: float = 0.0

    def with_answer(self, seconds: int) -> Pace:
        """With one more answer; one without a time is none."""
        if seconds <= 0:
            return self
        return Pace(self.answers + 1, self.logs + log(seconds), self.squares + log(seconds) ** 2)

    def too_fast(self, seconds: int) -> str:
        """In words how an answer is exceptionally fast; empty if it is not."""
        if self.answers < LEAST_ANSWERS or seconds <= 0:
            return ""
        mean = self.logs / self.answers
        spread = max(sqrt(max(self.squares / self.answers - mean**2, 0.0)), _LEAST_SPREAD)
        below = (mean - log(seconds)) / spread
        if below < DEVIATIONS:
            return ""
        return (
            f"It took {seconds} seconds. {self.answers} answers of the project took {exp(mean):.0f} at the geometric "
            f"mean: this one is {below:.1f} standard deviations faster"
        )
