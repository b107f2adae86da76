"""What a service is made of, as tables: the chassis runs nothing that is not named here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic

from google.protobuf.message import Message

from chassis.bus.consumer import Reaction
from chassis.db import Database
from chassis.ops.trace import Trace
from chassis.ops.waits import Waits
from chassis.rpc.call import C
from chassis.rpc.table import Rpcs
from chassis.settings import ChassisSettings
from chassis.telemetry.readings import Reading
from chassis.timers import Job, Timer


@dataclass(frozen=True, slots=True)
class Service(Generic[C]):
    """One service: RPC -> handler, event -> reaction, timers. `context` makes what all of them are handed."""

    name: str
    migrations: Path
    context: Callable[[ChassisSettings, Database], AbstractAsyncContextManager[C]]
    rpcs: Rpcs
    reactions: Mapping[type[Message], Reaction[C]] = field(default_factory=dict)
    timers: Sequence[Timer[C] | Job[C]] = ()
    trace: Trace[C] | None = None
    """What the service can tell operators about a task."""
    waits: Waits[C] | None = None
    """What it can tell them of what waits, and why."""
    readings: Sequence[Reading[C]] = ()
    """What of its database its metrics tell."""

    @property
    def app_role(self) -> str:
        """The database role that the service runs as."""
        return f"{self.name}_app"
