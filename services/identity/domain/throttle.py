"""How failed sign-ins slow down further ones for the same address.

There is no lock-out that a stranger could use against somebody: after some free tries each one costs a wait that
doubles up to a minute, and the right password clears it all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import ResourceExhausted

FREE_TRIES = 10
FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=1)
FORGET_AFTER = timedelta(hours=1)
_MOST_DOUBLINGS = 10


class SignInThrottled(ResourceExhausted):
    """Too many sign-ins have failed for this address: wait as told, then try again."""

    reason = "SIGN_IN_THROTTLED"


@dataclass(frozen=True, slots=True)
class Attempts:
    """Tries for one address since the last success, and until when the next one must wait."""

    count: int
    last_at: datetime
    blocked_until: datetime | None = None

    def next(self, now: datetime) -> Attempts:
        """The attempts with one more, which counts as failed until it succeeds: so parallel guesses count too.

        Raises `SignInThrottled` saying how long to wait.
        """
        if self.blocked_until is not None and self.blocked_until > now:
            raise SignInThrottled(retry_after=self.blocked_until - now)
        count = 1 if now - self.last_at > FORGET_AFTER else self.count + 1
        wait = wait_after(count)
        return Attempts(count, now, now + wait if wait else None)


def wait_after(count: int) -> timedelta:
    """How long to wait after this many failures."""
    if count <= FREE_TRIES:
        return timedelta(0)
    doublings = min(count - FREE_TRIES - 1, _MOST_DOUBLINGS)
    return min(FIRST_WAIT * (1 << doublings), LONGEST_WAIT)
