"""The breaker before the dead letters: a bad deploy must not drain a topic into them, nor a flood of poison stop it.

It counts only events that their contract finds no fault with: of what is no valid event no deploy is to blame. While it
is open the consumer holds, and lets one event go to the dead letters every few seconds: so a bad deploy costs some
letters until it is taken back, and events that really cannot be applied delay others, but do not stop them for good.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from chassis.errors import Unavailable

PACE_SECONDS = 5.0
"""Between two dead letters while it is open."""


class BreakerOpen(Unavailable):
    """Too many events fail to be the events' own fault: the consumer holds its partitions but for one now and then."""

    reason = "DEAD_LETTER_BREAKER_OPEN"


class Breaker:
    """Counts what happens to events; opens after too many failures in a row, or among the last ones."""

    def __init__(
        self,
        in_a_row: int = 25,
        of_last: int = 200,
        ratio: float = 0.25,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Opens at `in_a_row` failures, or when `ratio` of the `of_last` events failed; `clock` gives seconds."""
        self._in_a_row = in_a_row
        self._ratio = ratio
        self._last: deque[bool] = deque(maxlen=of_last)
        self._failures = 0
        self._clock = clock
        self._failed_at = clock()

    def succeeded(self, events: int) -> None:
        """So many events were applied."""
        if events:
            self._failures = 0
            self._last.extend([True] * min(events, self._last.maxlen or 0))

    @property
    def open(self) -> bool:
        """Whether events that fail are held instead of becoming dead letters, but for one now and then."""
        failures = self._last.count(False)
        full = len(self._last) == self._last.maxlen
        return self._failures >= self._in_a_row or (full and failures >= self._ratio * len(self._last))

    def failed(self) -> None:
        """An event goes to the dead letters. Raises `BreakerOpen` if it must not now."""
        if self.open and self._clock() < self._failed_at + PACE_SECONDS:
            raise BreakerOpen
        self._failed_at = self._clock()
        self._failures += 1
        self._last.append(False)
