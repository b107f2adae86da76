"""What time is worth of which no answer came, and who pays it: the batch's reserve, or the platform beyond that."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from services.payouts.domain import accounts
from services.payouts.domain.earning import Promise, Reserve, ReserveReleased, Share, TermsContradicted, check_terms
from services.payouts.domain.ledger import Transfer

Part = Callable[[int, int, int], int]


@dataclass(frozen=True, slots=True)
class Time(Promise):
    """Seconds of which no answer came, with what was promised for the whole answer."""

    time_id: UUID
    paid_seconds: int
    expected_seconds: int
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class PaidTime:
    """A time with what it is worth, what of that the reserve gives (the fee in it, or nothing), and the transfers."""

    time: Time
    worth: int
    from_reserve: int
    transfers: tuple[Transfer, ...]


def check_time(time: Time, reserve: Reserve | None) -> None:
    """Raises `TermsContradicted` for terms that were not reserved, and for more seconds than a whole answer has."""
    check_terms(time, reserve)
    if not 0 < time.paid_seconds <= time.expected_seconds:
        raise TermsContradicted("the seconds are out of range", slot=str(time.slot_id))


def pay(time: Time, reserve: Reserve, nth: int, part: Part, share: Share) -> PaidTime:
    """Pays the `nth` time of a batch: price x seconds / expected seconds, `part(minor, of, whole)` rounding once.

    So it never exceeds the price of an answer, for which the reserve has money `times_most` times. Beyond that the
    platform pays, and takes no fee. Raises `ReserveReleased`.
    """
    if reserve.released:
        raise ReserveReleased(slot=str(time.slot_id), batch=str(time.batch_id))
    worth, reserved = part(time.amount, time.paid_seconds, time.expected_seconds), nth <= reserve.times_most
    fee = share(worth, time.fee_basis_points) if reserved else 0
    own = accounts.reserve(time.batch_id, time.vendor_id, time.currency)
    payer = own if reserved else accounts.platform_expense(time.currency)
    moves = [("pay", accounts.held(time.expert_id, time.currency), worth)]
    moves += [("fee", accounts.platform_fee(time.currency), fee)]
    cause = {"time": str(time.time_id), "task": str(time.task_id), "batch": str(time.batch_id)}
    transfers = (
        Transfer(f"time:{time.time_id}:{kind}", payer, to, minor, kind, cause) for kind, to, minor in moves if minor
    )
    return PaidTime(time, worth, worth + fee if reserved else 0, tuple(transfers))
