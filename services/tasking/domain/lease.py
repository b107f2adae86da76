"""The life of a slot: an expert's hold on a task, and what may still be done with it.

LEASED -> SUBMITTED                      handed in while the lease ran
LEASED -> EXPIRED -> SUBMITTED | SURPLUS handed in late, within the grace
LEASED -> RETURNED                       given back, or taken from an expert who may not work any more
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

from chassis.errors import FailedPrecondition


class SlotState(IntEnum):
    """How far a slot is; the numbers are those in the table."""

    LEASED = 1
    SUBMITTED = 2
    SURPLUS = 3
    EXPIRED = 4
    RETURNED = 5


class WrongFencingToken(FailedPrecondition):
    """The fencing token is not the slot's: claim again and use the token of that lease."""

    reason = "WRONG_FENCING_TOKEN"


class LeaseExpired(FailedPrecondition):
    """The lease has run out. A finished answer may still be handed in for a while; else claim again."""

    reason = "LEASE_EXPIRED"


class LeaseEnded(FailedPrecondition):
    """The slot is closed already: its answer was handed in or the task was given back."""

    reason = "LEASE_ENDED"


class AnswerWindowClosed(FailedPrecondition):
    """The lease ran out and the time for late answers is over: claim another task."""

    reason = "ANSWER_WINDOW_CLOSED"


@dataclass(frozen=True, slots=True)
class Hold:
    """A slot as its rules need it, with the database's time of the call."""

    state: SlotState
    fencing_token: int
    expires_at: datetime
    now: datetime

    @property
    def runs(self) -> bool:
        """Whether the lease is live. One that has run out is over even before a timer says so."""
        return self.state is SlotState.LEASED and self.now < self.expires_at


@dataclass(frozen=True, slots=True)
class Seats:
    """A task's room: how many experts hold or fill it, how many answers are wanted, and whether it is still open.

    A surplus answer is one of those wanted, as scoring counts it: no seat is opened for what it has brought.
    """

    taken: int
    wanted: int
    surplus: int
    most_surplus: int
    open: bool


class Taken(IntEnum):
    """How an answer is taken."""

    IN_TIME = 1
    LATE = 2
    SURPLUS = 3


def check_token(hold: Hold, fencing_token: int) -> None:
    """Raises `WrongFencingToken` unless the caller shows the slot's own token."""
    if hold.fencing_token != fencing_token:
        raise WrongFencingToken(field="fencing_token")


def check_runs(hold: Hold, fencing_token: int) -> None:
    """Whether the hold can be kept alive. Raises `WrongFencingToken`, `LeaseEnded` or `LeaseExpired`."""
    check_token(hold, fencing_token)
    if hold.state in (SlotState.SUBMITTED, SlotState.SURPLUS, SlotState.RETURNED):
        raise LeaseEnded
    if not hold.runs:
        raise LeaseExpired


def check_submittable(hold: Hold, fencing_token: int, grace: timedelta) -> bool:
    """Whether an answer handed in now is in time (`True`) or late (`False`).

    Raises `WrongFencingToken`, `LeaseEnded`, or `AnswerWindowClosed` when the grace after the lease is over too.
    """
    check_token(hold, fencing_token)
    if hold.runs:
        return True
    if hold.state not in (SlotState.LEASED, SlotState.EXPIRED):
        raise LeaseEnded
    if hold.now >= hold.expires_at + grace:
        raise AnswerWindowClosed
    return False


def answerable(hold: Hold, grace: timedelta, seats: Seats, batch_open: bool) -> bool:
    """Whether an answer would be taken now, in time or late."""
    try:
        if not check_submittable(hold, hold.fencing_token, grace):
            place_late(seats)
            return batch_open
    except (LeaseEnded, AnswerWindowClosed):
        return False
    return True


def place_late(seats: Seats) -> Taken:
    """Where a late answer goes: back on a seat if one is free, else beside the seats as surplus.

    Surplus is bounded by what the batch has reserved for it: one a slot. Raises `AnswerWindowClosed` beyond that.
    """
    if seats.open and seats.taken + seats.surplus < seats.wanted:
        return Taken.LATE
    if seats.surplus >= seats.most_surplus:
        raise AnswerWindowClosed
    return Taken.SURPLUS
