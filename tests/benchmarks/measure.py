"""What a figure is, how it is measured beside its limit, and how much processor a process has used."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles

Run = Callable[[], Awaitable[float]]
"""Measures once; gives a rate."""

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured value; with a limit, `ratio` is the share of it that was reached.

    `at_least` is the least ratio, or the least value where there is no limit, and `at_most` the greatest value.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    ratio: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    samples: Sequence[float] = field(default=())
    limit_samples: Sequence[float] = field(default=())

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; nothing if there is none."""
        if self.at_most is not None:
            return self.value <= self.at_most
        if self.at_least is not None:
            return (self.value if self.ratio is None else self.ratio) >= self.at_least
        return None


async def beside_limit(
    name: str, unit: str, subject: Run, limit: Run, rounds: int, at_least: float | None = None
) -> Figure:
    """Measures subject and limit in turns, A B A B, and gives the median of the rounds' ratios: drift hits both."""
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(await subject())
        theirs.append(await limit())
    return against(name, unit, ours, theirs, at_least)


def against(
    name: str, unit: str, ours: Sequence[float], theirs: Sequence[float], at_least: float | None = None
) -> Figure:
    """The figure of rates that were measured in turns."""
    ratio = median(a / b for a, b in zip(ours, theirs, strict=True))
    return Figure(name, median(ours), unit, median(theirs), ratio, at_least, samples=ours, limit_samples=theirs)


def percentile(values: Sequence[float], percent: int) -> float:
    """A whole percentile."""
    return quantiles(values, n=100, method="inclusive")[percent - 1]


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used, user and system."""
    user, system, *_ = _times(pid)
    return (user + system) / _TICKS


def family_cpu_seconds(pid: int) -> float:
    """Processor time of a process and its children, those that have ended too: PostgreSQL is many processes."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(_times(pid)) / _TICKS + sum(cpu_seconds(int(child)) for child in children)


def _times(pid: int) -> list[int]:
    """Ticks of user and system, of the process and of its ended children."""
    return [int(field) for field in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]]
