"""What every rail offers, whichever provider is behind it."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime
from typing import Protocol

from chassis.errors import Unavailable
from services.payouts.domain.rail import Order, Outcome, RailFacts

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class RailUnavailable(Unavailable):
    """The payment provider does not answer for the moment."""

    reason = "RAIL_UNAVAILABLE"


def clock() -> float:
    """Seconds on a clock that also runs while the process is stopped or the machine sleeps."""
    return time.clock_gettime(_CLOCK)


class Rail(Protocol):
    """A payment provider."""

    @property
    def facts(self) -> RailFacts:
        """What its promises are."""
        ...

    async def send(self, order: Order, before: float) -> Outcome:
        """Orders a transfer. Nothing is written from `before` on (seconds on `clock`), and no reply is awaited then."""
        ...

    async def find(self, order: Order) -> Outcome | None:
        """Looks an order up by its reference. Nothing found proves nothing yet. Raises `RailUnavailable`."""
        ...

    async def look(self, provider_id: str, order: Order) -> Outcome:
        """How far a transfer is. Raises `RailUnavailable`."""
        ...

    async def references(self, since: datetime, until: datetime) -> Collection[str] | None:
        """All references in the statements that cover a time; nothing while one of them is open.

        Raises `RailUnavailable`.
        """
        ...
