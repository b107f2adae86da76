"""What waits at a service, and for what: nothing waits in silence."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar

from chassis.db import Transaction

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Waiting:
    """Things that wait for one reason: how many, and since when the oldest does; `more` if not all were counted."""

    what: str
    reason: str
    count: int
    oldest: datetime | None = None
    way_out: str = ""
    more: bool = False


Waits: TypeAlias = Callable[[Transaction, C], Awaitable[Sequence[Waiting]]]
"""What waits at a service, by what and why."""
