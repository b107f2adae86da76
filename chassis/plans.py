"""When a connection makes its plans anew: often while it is young, once a minute later.

PostgreSQL keeps a statement's plan with the connection. One that was made while a table was empty reads all of it, or
an index that is not meant for it, and goes only when the server has analyzed the table: a minute later at best. With
these ages a table that grows at a steady pace is never more than about twice as large as it was when the plan was made,
until the connection is a minute old.
"""

from __future__ import annotations

import time
from collections.abc import Callable

_FIRST_SECONDS = 2.0
_LONGEST_SECONDS = 60.0


class PlanAges:
    """Of each connection, when its plans are due."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds that never go back."""
        self._clock = clock
        self._due: dict[int, tuple[float, float]] = {}

    def opened(self, pid: int) -> None:
        """Takes note of a new connection, by its server process."""
        self._due[pid] = (self._clock() + _FIRST_SECONDS, _FIRST_SECONDS)

    def are_due(self, pid: int) -> bool:
        """Whether the connection's plans should be made anew now; then they are due again later."""
        now = self._clock()
        due, pause = self._due.get(pid, (now, _FIRST_SECONDS))
        if now < due:
            return False
        longer = min(2 * pause, _LONGEST_SECONDS)
        self._due[pid] = (now + longer, longer)
        return True

    def closed(self, pid: int) -> None:
        """Forgets a connection that is no more."""
        self._due.pop(pid, None)
