"""The breaker before the dead letters: a bad deploy must stop its consumer, not drain a topic into them."""

from __future__ import annotations

from collections import deque

from chassis.errors import Unavailable


class BreakerOpen(Unavailable):
    """Too many events fail to be the events' own fault: the consumer holds its partitions until that is mended."""

    reason = "DEAD_LETTER_BREAKER_OPEN"


class Breaker:
    """Counts what happens to events; opens after too many failures in a row, or among the last ones."""

    def __init__(self, in_a_row: int = 25, of_last: int = 200, ratio: float = 0.25) -> None:
        """Opens at `in_a_row` failures, or when `ratio` of the `of_last` events failed."""
        self._in_a_row = in_a_row
        self._ratio = ratio
        self._last: deque[bool] = deque(maxlen=of_last)
        self._failures = 0

    def succeeded(self, events: int) -> None:
        """So many events were applied."""
        if events:
            self._failures = 0
            self._last.extend([True] * min(events, self._last.maxlen or 0))

    @property
    def open(self) -> bool:
        """Whether the next event that fails is held instead of becoming a dead letter."""
        failures = self._last.count(False)
        full = len(self._last) == self._last.maxlen
        return self._failures >= self._in_a_row or (full and failures >= self._ratio * len(self._last))

    def failed(self) -> None:
        """An event goes to the dead letters. Raises `BreakerOpen` if it must not."""
        if self.open:
            raise BreakerOpen
        self._failures += 1
        self._last.append(False)
