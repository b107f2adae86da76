"""A few workers shared out fairly: whoever asks more waits longer, and makes nobody else wait.

Those who wait stand in lines, one for each source, and the lines take turns. Lines are of two classes, which take turns
too: those who are known have half of the work, however many strangers come, and room that strangers cannot fill. What
nobody in one class wants the other gets.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple


class NoRoom(Exception):
    """No place is free; `waiting` are those who have one in this class."""

    def __init__(self, waiting: int) -> None:
        super().__init__(f"{waiting} are waiting")
        self.waiting = waiting


class Line(NamedTuple):
    """Who stands together: `source` is whom the place is counted against."""

    known: bool
    source: str


class Place:
    """Somebody's place in a line, for as many turns as they need, one after the other."""

    def __init__(self, turns: Turns, line: Line) -> None:
        self.line = line
        self._turns = turns
        self._lost: NoRoom | None = None
        self._wanted: asyncio.Future[None] | None = None

    async def turn(self) -> None:
        """Waits for a worker; whoever got one says `Turns.done` when it is free again. Raises `NoRoom` if the place was
        lost to somebody of a shorter line.
        """
        if self._lost:
            raise self._lost
        if self._turns.take_idle():
            return
        self._wanted = asyncio.get_running_loop().create_future()
        self._turns.wait(self, self._wanted)
        try:
            await self._wanted
        except (asyncio.CancelledError, NoRoom):
            self._turns.left(self, self._wanted)
            raise
        finally:
            self._wanted = None

    def lose(self, why: NoRoom) -> None:
        """Takes the place away."""
        self._lost = why
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_exception(why)


@dataclass(slots=True)
class _Class:
    """The lines of a class, by source: all places; and who of them waits for a worker now, in the order of turns."""

    places: dict[str, list[Place]] = field(default_factory=dict)
    waiting: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)

    def number(self) -> int:
        return sum(map(len, self.places.values()))


class Turns:
    """Workers, and who waits for them. It lives on one event loop."""

    def __init__(self, workers: int, most: int, most_each: int) -> None:
        """Lets `most` of a class have a place at a time, and of strangers `most_each` of one line."""
        self._idle = workers
        self._most = most
        self._most_each = most_each
        self._classes = {True: _Class(), False: _Class()}
        self._turn_of_known = True

    @contextmanager
    def place(self, line: Line) -> Iterator[Place]:
        """A place for the body. If none is left, the longest line gives one up to a shorter. Raises `NoRoom`."""
        of_class = self._classes[line.known]
        own = of_class.places.get(line.source, [])
        if len(own) >= self._most_each and not line.known:
            raise NoRoom(of_class.number())
        if of_class.number() >= self._most:
            self._make_room(of_class, len(own))
        place = Place(self, line)
        of_class.places.setdefault(line.source, []).append(place)
        try:
            yield place
        finally:
            _remove(of_class.places, line.source, place)

    def take_idle(self) -> bool:
        """Takes a worker if one is idle; then nobody waits."""
        if self._idle == 0:
            return False
        self._idle -= 1
        return True

    def wait(self, place: Place, wanted: asyncio.Future[None]) -> None:
        """Puts somebody at the end of their line."""
        self._classes[place.line.known].waiting.setdefault(place.line.source, deque()).append(wanted)

    def left(self, place: Place, wanted: asyncio.Future[None]) -> None:
        """Somebody waits no more. A turn that they had been given already goes to the next."""
        lines, source = self._classes[place.line.known].waiting, place.line.source
        if wanted in lines.get(source, ()):
            lines[source].remove(wanted)
            if not lines[source]:
                del lines[source]
        elif wanted.done() and not wanted.cancelled() and wanted.exception() is None:
            self.done()

    def done(self) -> None:
        """A worker is free again."""
        while (wanted := self._next()) is not None:
            if not wanted.done():
                wanted.set_result(None)
                return
        self._idle += 1

    def _next(self) -> asyncio.Future[None] | None:
        """Whose turn it is: the classes alternate, and in each the lines. It may be somebody who is just leaving."""
        for known in (self._turn_of_known, not self._turn_of_known):
            lines = self._classes[known].waiting
            if lines:
                self._turn_of_known = not known
                source, line = lines.popitem(last=False)
                wanted = line.popleft()
                if line:
                    lines[source] = line
                return wanted
        return None

    def _make_room(self, of_class: _Class, own: int) -> None:
        longest = max(of_class.places.values(), key=len)
        if len(longest) <= own + 1:
            raise NoRoom(of_class.number())
        loser = longest.pop()
        loser.lose(NoRoom(of_class.number()))


def _remove(places: dict[str, list[Place]], source: str, place: Place) -> None:
    """A place that was lost is there no more."""
    line = places.get(source, [])
    if place in line:
        line.remove(place)
    if not line:
        places.pop(source, None)
