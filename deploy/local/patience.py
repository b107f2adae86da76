"""How long to wait for a child: as long as it lives and gets on, however slow the machine is."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

# Of one core. A child that waits for something that does not come looks for it now and then, and uses less than this;
# one that works gets more, also beside eight others on two cores.
_AT_WORK = 0.03
_LOOK_SECONDS = 1.0
_TELL_SECONDS = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Patience:
    """Watches a child that is waited for. `session` is its process id, `log` what it writes to."""

    name: str
    session: int
    log: Path
    within: float
    """Seconds it may do next to nothing."""
    tell: Callable[[str], None] | None = None
    """Told from time to time that it is not done yet."""
    _began: float = field(default_factory=time.monotonic)
    _looked: float = 0.0
    _told: float = field(default_factory=time.monotonic)
    _since: float = field(default_factory=time.monotonic)
    _work: float = 0.0
    _written: int = 0

    def spent(self) -> bool:
        """Whether it has written nothing and done next to nothing for as long as it may."""
        now = time.monotonic()
        if now - self._looked < min(_LOOK_SECONDS, self.within):
            return False
        self._looked = now
        if self.tell is not None and now - self._told > _TELL_SECONDS:
            self.tell(f"{self.name} is not ready after {now - self._began:.0f} s; {self._says()}")
            self._told = now
        work, written = processor_seconds(self.session), self._size()
        if written > self._written or work - self._work > _AT_WORK * self.within:
            self._since, self._work, self._written = now, work, written
        return now - self._since > self.within

    def _size(self) -> int:
        try:
            return self.log.stat().st_size
        except OSError:
            return 0

    def _says(self) -> str:
        """What it has done and said so far, in a line."""
        try:
            last = self.log.read_text(errors="replace").splitlines()[-1:]
        except OSError:
            last = []
        said = f"it said last: {last[0][:200]}" if last and self._written else "it has said nothing yet"
        return f"it has used {processor_seconds(self.session):.1f} s of processor, {said}"


def processor_seconds(session: int) -> float:
    """What all processes of a session have used, those that have ended among them; 0 on a system without /proc."""
    return sum(map(_ticks, _members(session))) / _TICKS


def _members(session: int) -> list[list[str]]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            found.append(fields)
    return found


def _ticks(fields: list[str]) -> int:
    """Own time in user and system mode, and that of children that were waited for."""
    return sum(map(int, fields[11:15]))
