"""The bar of a benchmark."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import Protocol, TypeVar

from rich.progress import Progress

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")


class Steps(Sized, Iterable[T_co], Protocol[T_co]):
    """What can be counted and gone through."""


@dataclass(frozen=True, slots=True)
class Step:
    """One benchmark in the display."""

    bars: Progress
    name: str

    def through(self, steps: Steps[T], what: str = "") -> Iterator[T]:
        """Goes through steps and shows how far it is."""
        bar = self.bars.add_task(f"{self.name} {what}".strip(), total=len(steps))
        for item in steps:
            yield item
            self.bars.advance(bar)
        self.bars.remove_task(bar)
