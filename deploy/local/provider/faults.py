"""What goes wrong, how often, and to which request: a pure function of the seed, the key and the number of the try."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Self, TypeVar

_T = TypeVar("_T", bound=StrEnum)


class Fault(StrEnum):
    """One way for a request to go wrong."""

    THROTTLED = "throttled"
    """429 with Retry-After, nothing moved, nothing stored."""
    UNAVAILABLE = "unavailable"
    """503, nothing moved, nothing stored."""
    REJECTED = "rejected"
    """422 invalid_destination, stored."""
    STORED_ERROR = "stored_error"
    """500 without movement, stored: a repeat of the key gets it again."""
    MOVED_ERROR = "moved_error"
    """500 after the movement, stored."""
    LOST_REPLY = "lost_reply"
    """Moved, and the connection cut before the answer."""
    SLOW = "slow"
    """Moved, and the answer late."""


class Outcome(StrEnum):
    """How a transfer ends, decided when it is made."""

    PAID = "paid"
    FAILED = "failed"
    """Never paid: the bank refuses it while it is processing."""
    RETURNED = "returned"
    """Paid, and sent back later."""
    PAID_THEN_FAILED = "paid_then_failed"
    """Paid, and said to have failed later."""


@dataclass(frozen=True, slots=True)
class Rates:
    """The share of requests, 0 to 1, that each fault takes, and of transfers that end each way but well."""

    throttled: float = 0.0
    unavailable: float = 0.0
    rejected: float = 0.0
    stored_error: float = 0.0
    moved_error: float = 0.0
    lost_reply: float = 0.0
    slow: float = 0.0
    lookup_unavailable: float = 0.0
    """Of the look-ups by id, by reference and of statements: 503. The provider's own list never fails."""
    failed: float = 0.0
    returned: float = 0.0
    paid_then_failed: float = 0.0

    def with_overrides(self, overrides: list[str]) -> Self:
        """These rates with some of `name=rate` put in. Raises ValueError."""
        known = {field.name for field in fields(self)}
        changes: dict[str, float] = {}
        for text in overrides:
            name, _, rate = text.partition("=")
            if name not in known:
                raise ValueError(f"no fault is called {name!r}: {', '.join(sorted(known))}")
            changes[name] = float(rate)
            if not 0 <= changes[name] <= 1:
                raise ValueError(f"{text}: a rate is from 0 to 1")
        return replace(self, **changes)


PRESETS: dict[str, Rates] = {
    "none": Rates(),
    "mild": Rates(throttled=0.01, unavailable=0.01, lost_reply=0.01, slow=0.01, lookup_unavailable=0.01, failed=0.005),
    "hostile": Rates(
        throttled=0.05,
        unavailable=0.05,
        rejected=0.02,
        stored_error=0.02,
        moved_error=0.02,
        lost_reply=0.10,
        slow=0.02,
        lookup_unavailable=0.05,
        failed=0.02,
        returned=0.02,
        paid_then_failed=0.01,
    ),
}


def fault_of(rates: Rates, seed: int, key: str, number: int) -> Fault | None:
    """What goes wrong with the `number`-th try under this key."""
    return _drawn(rates, list(Fault), f"{seed}/{key}/{number}")


def outcome_of(rates: Rates, seed: int, key: str) -> Outcome:
    """How the transfer that this key makes will end."""
    bad = [Outcome.FAILED, Outcome.RETURNED, Outcome.PAID_THEN_FAILED]
    return _drawn(rates, bad, f"{seed}/{key}/outcome") or Outcome.PAID


def lookup_fails(rates: Rates, seed: int, path: str, number: int) -> bool:
    """Whether the `number`-th look-up of a path is answered 503."""
    return random.Random(f"{seed}/{path}/{number}").random() < rates.lookup_unavailable  # noqa: S311


def _drawn(rates: Rates, choices: Sequence[_T], about: str) -> _T | None:
    left = random.Random(about).random()  # noqa: S311  repeatable on purpose
    for choice in choices:
        left -= float(getattr(rates, choice.value))
        if left < 0:
            return choice
    return None
