"""How long answers take in a project, and when one came faster than anybody works.

The time of an answer is that for which its task was held, by tasking's clock. Times are compared by their logarithms,
which are spread alike on both sides. Three standard deviations below the mean is the bound below which Prolific lets
researchers reject for speed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import exp, log, sqrt
from typing import NamedTuple

DEVIATIONS = 3.0
LEAST_ANSWERS = 30
"""So many timed answers it takes to know what is usual."""
_LEAST_SPREAD = 0.2
"""No project is taken to be so uniform that a fifth less time would be three deviations."""


class Pace(NamedTuple):
    """Sums over the timed answers of a project: their number, the logs of their milliseconds, the squares of these."""

    answers: int = 0
    logs: float = 0.0
    squares: float = 0.0

    def with_answers(self, milliseconds: Iterable[int]) -> Pace:
        """With more answers, which took so long; one without a time is none."""
        logs = [log(each) for each in milliseconds if each > 0]
        return Pace(self.answers + len(logs), self.logs + sum(logs), self.squares + sum(each**2 for each in logs))

    @property
    def least(self) -> float:
        """What takes at most so many milliseconds is exceptionally fast; 0 as long as it is not known what is usual."""
        return _least(self)

    def too_fast(self, milliseconds: int) -> str:
        """In words how an answer is exceptionally fast; empty if it is not, or has no time."""
        if not 0 < milliseconds <= self.least:
            return ""
        mean, spread = self.usual
        below = (mean - log(milliseconds)) / spread
        return (
            f"It came {_seconds(milliseconds)} after its task was claimed. {self.answers} answers of the project took "
            f"{_seconds(exp(mean))} at the geometric mean: this one is {below:.1f} standard deviations faster"
        )

    @property
    def usual(self) -> tuple[float, float]:
        """Mean and standard deviation of the logs; at least one answer has a time."""
        mean = self.logs / self.answers
        return mean, max(sqrt(max(self.squares / self.answers - mean**2, 0.0)), _LEAST_SPREAD)


def _seconds(milliseconds: float) -> str:
    seconds = milliseconds / 1000
    return f"{seconds:.2f} seconds" if seconds < 10 else f"{seconds:.0f} seconds"


# Each task of a batch asks for it, and their projects are few.
@lru_cache(256)
def _least(pace: Pace) -> float:
    if pace.answers < LEAST_ANSWERS:
        return 0.0
    mean, spread = pace.usual
    return exp(mean - DEVIATIONS * spread)
