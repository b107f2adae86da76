"""How far a consensus is from the best of the frozen list, on crowds by name: sets of real answers, made-up families.

Names are nothing to this code. Every comparison is paired task by task: an interval is the mean difference of hits and
1.96 of its standard errors, over all tasks of a set, or over the crowds of a family.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from services.scoring.aggregation.evaluate import measures
from services.scoring.aggregation.models.crowd import Crowd, Floats, Ints, tally
from tests.benchmarks.crowds import frozen
from tests.benchmarks.crowds.families import FAMILIES, crowd_of
from tests.benchmarks.crowds.made import thinned

OVERLAPS = (1, 2, 3, 5, 7, 10)
_OF_NORMAL = 1.96


class Interval(NamedTuple):
    """A mean in points with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:+6.2f} [{self.low:+6.2f}, {self.high:+6.2f}]"


def interval(differences: Floats) -> Interval:
    """Of paired differences, in points."""
    points = 100 * differences
    half = _OF_NORMAL * float(points.std(ddof=1)) / np.sqrt(len(points)) if len(points) > 1 else float("inf")
    mean = float(points.mean())
    return Interval(mean, mean - half, mean + half)


@dataclass(frozen=True)
class Judged:
    """A crowd and its truths; -2: that of this task is not known, -1: nobody names it."""

    name: str
    crowd: Crowd
    known: Ints

    @property
    def asked(self) -> Ints:
        """The tasks whose truth is known."""
        return np.flatnonzero(self.known >= -1)

    def hits(self, posterior: Floats) -> Floats:
        """How right the posterior is on each of them."""
        return measures.hits(posterior[self.asked], self.known[self.asked])

    def error(self, posterior: Floats) -> float:
        """Its calibration error, in points."""
        return measures.calibration_error(posterior[self.asked], self.hits(posterior)) * 100

    @cached_property
    def listed(self) -> Mapping[str, Floats]:
        """The hits of each method of the frozen list."""
        return {name: self.hits(found) for name, found in frozen.posteriors(self.crowd).items()}

    @cached_property
    def best(self) -> str:
        """The method of the list that gets most right here."""
        return max(self.listed, key=lambda name: float(self.listed[name].mean()))

    def lead(self, posterior: Floats) -> Floats:
        """How much more right the posterior is than the best of the list, task by task."""
        return self.hits(posterior) - self.listed[self.best]


def made_up(seeds: Sequence[int]) -> Mapping[str, Sequence[Judged]]:
    """The crowds of each family."""
    return {family: [_of_family(family, seed) for seed in seeds] for family in FAMILIES}


def _of_family(family: str, seed: int) -> Judged:
    made = crowd_of(family, seed)
    return Judged(f"{family} {seed}", made.crowd, made.truth)


def against_majority(
    some: Iterable[Judged], consensus: frozen.Method, seeds: Sequence[int]
) -> Iterator[tuple[int, Interval]]:
    """The lead over majority at so many answers a task at most, over all tasks of these crowds and seeds.

    Of the seeds each draws other answers; a task is one pair by its mean over them, as they are no new tasks.
    """
    crowds = list(some)
    for most in OVERLAPS:
        leads = [np.mean([_lead(one, consensus, most, seed) for seed in seeds], axis=0) for one in crowds]
        yield most, interval(np.concatenate(leads) if len(leads) == 1 else np.array([lead.mean() for lead in leads]))


def _lead(one: Judged, consensus: frozen.Method, most: int, seed: int) -> Floats:
    few = thinned(np.random.default_rng(seed), one.crowd, most)
    return one.hits(consensus(few)) - one.hits(tally(few))
