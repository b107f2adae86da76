"""How failed sign-ins slow down further ones: each in a bucket that no stranger can spend for somebody else.

A try counts against what it comes from, not against the account alone:

- From a known device it counts against that device of that account. Nobody else can spend it.
- From elsewhere it counts against that network at that account, and against that network over all accounts, so that it
  cannot go from one account to the next. A network that has not failed yet is let in at once, whatever others did.
- How often strangers have failed at an account decides only how patient it is with each network. Who guesses from a
  thousand networks gets three tries from each and then one an hour, and never makes the owner wait who comes from
  another one.

After some free tries each one costs a wait that doubles; the right password clears what was counted against its sender.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from chassis.errors import ResourceExhausted

_MOST_DOUBLINGS = 16


class SignInThrottled(ResourceExhausted):
    """Too many sign-ins have failed from where you are: wait as told, then try again. A device from which you have
    signed in before, or another network, need not wait.
    """

    reason = "SIGN_IN_THROTTLED"


@dataclass(frozen=True, slots=True)
class Patience:
    """How many tries are free, and how the waits grow after them."""

    free: int
    first_wait: timedelta
    longest_wait: timedelta
    forget_after: timedelta

    def wait_after(self, count: int) -> timedelta:
        """How long to wait after this many failures."""
        if count <= self.free:
            return timedelta(0)
        doublings = min(count - self.free - 1, _MOST_DOUBLINGS)
        return min(self.first_wait * (1 << doublings), self.longest_wait)


_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)

DEVICE = Patience(10, timedelta(seconds=1), timedelta(minutes=15), _DAY)
"""With a device that the person has signed in from before."""
NETWORK = Patience(10, timedelta(seconds=1), timedelta(minutes=1), _HOUR)
"""With a network at an account that is left alone."""
NETWORK_IN_SIEGE = Patience(3, timedelta(minutes=1), _HOUR, _DAY)
"""With a network at an account that strangers are trying to get into."""
SPRAYING = Patience(300, timedelta(seconds=1), timedelta(minutes=1), _HOUR)
"""With a network over all accounts: many people may share one."""
SIEGE = 100
"""So many failures of strangers at an account, each within a day of the one before, are a siege."""
FORGET_AFTER = _DAY
"""After which no failure counts any more."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """Tries in one bucket since the last success, and until when the next one must wait."""

    count: int
    last_at: datetime
    blocked_until: datetime | None = None

    def next(self, now: datetime, patience: Patience) -> Attempts:
        """The attempts with one more, which counts as failed until it succeeds: so parallel guesses count too.

        Raises `SignInThrottled` saying how long to wait.
        """
        if self.blocked_until is not None and self.blocked_until > now:
            raise SignInThrottled(retry_after=self.blocked_until - now)
        count = self.recent(now, patience.forget_after) + 1
        wait = patience.wait_after(count)
        return Attempts(count, now, now + wait if wait else None)

    def counted(self, now: datetime) -> Attempts:
        """The attempts with one more where they only count, and nobody waits for them."""
        return Attempts(self.recent(now, FORGET_AFTER) + 1, now)

    def recent(self, now: datetime, forget_after: timedelta) -> int:
        """How many tries count still."""
        return 0 if now - self.last_at > forget_after else self.count


@dataclass(frozen=True, slots=True)
class Strangers:
    """The three buckets of a try from an unknown device."""

    network_at_account: Attempts
    account: Attempts
    network: Attempts

    def next(self, now: datetime) -> Strangers:
        """All three with one more. Raises `SignInThrottled`."""
        besieged = self.account.recent(now, FORGET_AFTER) >= SIEGE
        return Strangers(
            self.network_at_account.next(now, NETWORK_IN_SIEGE if besieged else NETWORK),
            self.account.counted(now),
            self.network.next(now, SPRAYING),
        )
