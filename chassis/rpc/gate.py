"""How many calls a process takes at once: in all and of one caller, so that none can use up what the others need."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from chassis.contract.access import ANYONE, MethodPolicy
from chassis.errors import ResourceExhausted
from chassis.settings import ChassisSettings

# One caller may have an eighth of what a gate lets in; of uploads half, as a vendor sends many batches side by side.
_SHARE_OF_CALLS = 8
_SHARE_OF_STREAMS = 2
_SHARE_OF_STRANGERS = 4
_PAUSE = timedelta(seconds=1)


class TooManyCalls(ResourceExhausted):
    """Too many calls are being served at the same time: wait for yours to end, then try again."""

    reason = "TOO_MANY_CALLS"


@dataclass(slots=True)
class Gate:
    """Counts who is inside. It is entered and left on the event loop alone, and left by all who entered."""

    most: int
    most_of_one: int
    inside: int = 0
    by_caller: dict[UUID | str, int] = field(default_factory=dict)

    def enter(self, caller: UUID | str) -> None:
        """Lets a call in. Raises `TooManyCalls`, telling the bound that is reached."""
        own = self.by_caller.get(caller, 0)
        if own >= self.most_of_one or self.inside >= self.most:
            most = self.most_of_one if own >= self.most_of_one else self.most
            raise TooManyCalls(retry_after=_PAUSE, most=str(most))
        self.by_caller[caller] = own + 1
        self.inside += 1

    def leave(self, caller: UUID | str) -> None:
        """Lets a call out."""
        self.inside -= 1
        own = self.by_caller[caller]
        if own > 1:
            self.by_caller[caller] = own - 1
        else:
            del self.by_caller[caller]


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of a process: uploads, which last, have one of their own, and so have those who are not signed in."""

    calls: Gate
    streams: Gate
    strangers: Gate

    @classmethod
    def from_settings(cls, settings: ChassisSettings) -> Gates:
        """Gates as wide as the settings say."""
        return cls(
            Gate(settings.calls_at_once, max(settings.calls_at_once // _SHARE_OF_CALLS, 1)),
            Gate(settings.streams_at_once, max(settings.streams_at_once // _SHARE_OF_STREAMS, 1)),
            # Whoever is not signed in is told apart by where they come from.
            Gate(settings.strangers_at_once, max(settings.strangers_at_once // _SHARE_OF_STRANGERS, 1)),
        )

    def of(self, policy: MethodPolicy) -> Gate:
        """The gate that the calls of a method pass."""
        if ANYONE in policy.callers:
            return self.strangers
        return self.streams if policy.client_streaming or policy.server_streaming else self.calls
