"""What a service can tell about the way of a task."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar
from uuid import UUID

from chassis.db import Transaction
from chassis.ids import name

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done about a task. `ids` are by collection, like "answers"; nothing personal is among them.

    With `waits` nothing was done, but something waits since then.
    """

    time: datetime
    kind: str
    ids: Mapping[str, UUID]
    detail: str = ""
    trace_id: str = ""
    waits: bool = False

    @property
    def names(self) -> dict[str, str]:
        """The resource names by collection."""
        return {collection: name(collection, id_) for collection, id_ in self.ids.items()}


Trace: TypeAlias = Callable[[Transaction, C, UUID], Awaitable[Sequence[Step]]]
"""The steps of a service about the task with this id, in any order."""
