"""The total of a rubric: weights times how far up its scale each criterion is; a critical failure caps it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CAP_PERCENT = 40.0
"""The most that a response can reach which fails a critical criterion, in percent."""


@dataclass(frozen=True, slots=True)
class Grade:
    """A criterion with the level that is found. Criteria without a level (not applicable) are left out of the total."""

    name: str
    weight: int
    """Below 0 for what a response should not have."""
    share: float
    """How far up its scale the level is: 0 is the lowest level, 1 the highest."""
    critical: bool


@dataclass(frozen=True, slots=True)
class Total:
    """The total of a rubric."""

    points: float
    percent: float | None
    """From 0 to 100; `None` if no criterion of positive weight has a level."""
    failures: tuple[str, ...]
    """The critical criteria at their lowest level."""


def total(grades: Iterable[Grade]) -> Total:
    """Adds up. Percent is of what the criteria with a level could reach, so one that does not apply changes nothing."""
    grades = list(grades)
    points = sum(grade.weight * grade.share for grade in grades)
    reachable = sum(grade.weight for grade in grades if grade.weight > 0)
    failures = tuple(grade.name for grade in grades if grade.critical and grade.share == 0)
    if reachable == 0:
        return Total(points, None, failures)
    percent = min(max(100 * points / reachable, 0.0), CAP_PERCENT if failures else 100.0)
    return Total(points, percent, failures)
