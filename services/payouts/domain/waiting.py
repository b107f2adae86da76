"""What earned money waits for: why, since when, until when at most, and what ends it. Nothing waits in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from services.payouts.domain.hold import HoldReason


class WaitReason(Enum):
    """Why money is not with its expert yet. The first four are those of holds."""

    REVIEW_WINDOW = "REVIEW_WINDOW"
    FIRST_PAYOUT_HOLD = "FIRST_PAYOUT_HOLD"
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    VENDOR_NOT_ACTIVE = "VENDOR_NOT_ACTIVE"
    NO_INSTRUMENT = "NO_INSTRUMENT"
    INSTRUMENT_REFUSED = "INSTRUMENT_REFUSED"
    INSTRUMENT_COOLING_OFF = "INSTRUMENT_COOLING_OFF"
    BELOW_MINIMUM = "BELOW_MINIMUM"
    NEXT_RUN = "NEXT_RUN"
    SENDING_STOPPED = "SENDING_STOPPED"
    BEING_SENT = "BEING_SENT"
    PROVIDER_PROCESSING = "PROVIDER_PROCESSING"
    PROVIDER_SILENT = "PROVIDER_SILENT"
    PROVIDER_UNKNOWN = "PROVIDER_UNKNOWN"


@dataclass(frozen=True, slots=True)
class Words:
    """A reason for people to read: why, and what ends it."""

    why: str
    way_out: str


_BY_ITSELF = "It ends by itself."
WORDS: Mapping[WaitReason, Words] = {
    WaitReason.REVIEW_WINDOW: Words("The vendor may still ask for a review.", _BY_ITSELF),
    WaitReason.FIRST_PAYOUT_HOLD: Words(
        "The expert has not been paid yet.", "It ends with the first payout, or by itself."
    ),
    WaitReason.NOT_ELIGIBLE: Words(
        "Money may not be sent to the expert for now.", "The expert's verification must be complete and stand."
    ),
    WaitReason.VENDOR_NOT_ACTIVE: Words(
        "The vendor is suspended.", "It ends when the vendor is active again, or by itself."
    ),
    WaitReason.NO_INSTRUMENT: Words(
        "There is no account in this currency to send it to.", "The expert sets one: SetInstrument with the currency."
    ),
    WaitReason.INSTRUMENT_REFUSED: Words(
        "The provider refuses the account that it would be sent to.", "The expert sets another: SetInstrument."
    ),
    WaitReason.INSTRUMENT_COOLING_OFF: Words("The account was changed: nothing is sent to it yet.", _BY_ITSELF),
    WaitReason.BELOW_MINIMUM: Words(
        "What is payable is less than a run pays.", "It is paid together with what is earned later."
    ),
    WaitReason.NEXT_RUN: Words("The next run pays it.", _BY_ITSELF),
    WaitReason.SENDING_STOPPED: Words(
        "The platform has stopped sending money.", "Operators start it again: PAYOUTS_SENDING."
    ),
    WaitReason.BEING_SENT: Words("It is being sent.", _BY_ITSELF),
    WaitReason.PROVIDER_PROCESSING: Words("The provider has taken it and not settled it yet.", _BY_ITSELF),
    WaitReason.PROVIDER_SILENT: Words(
        "The provider has taken it, and does not tell what became of it.",
        "It is asked again and again; if that lasts, operators ask the provider.",
    ),
    WaitReason.PROVIDER_UNKNOWN: Words(
        "Whether the provider has taken it is not known.",
        "It is looked up until it is, and never paid twice; if that lasts, operators ask the provider.",
    ),
}


@dataclass(frozen=True, slots=True)
class Wait:
    """One thing that money waits for. `until` is when it ends by itself at the latest, where that is known."""

    reason: WaitReason
    since: datetime
    until: datetime | None = None
    missing: int = 0
    """With `BELOW_MINIMUM`: minor units that are missing."""
    code: str = ""
    """With a refused account or an unclear provider: in whose words."""


class Account(Enum):
    """Whether there is an account in a line's currency that money can be sent to."""

    NONE = "NONE"
    REFUSED = "REFUSED"
    COOLING_OFF = "COOLING_OFF"
    GOOD = "GOOD"


@dataclass(frozen=True, slots=True)
class Payee:
    """What is known of an expert in a currency: what is missing is to the least that a run pays, in minor units."""

    eligible: bool
    account: Account
    usable_from: datetime | None = None
    refusal: str = ""
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """How far a payout is, since when it is made, and since when the provider leaves unclear what became of it."""

    state: str
    since: datetime
    unclear_since: datetime | None = None
    unclear_why: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A hold that stands."""

    reason: HoldReason
    placed_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Clock:
    """When the next run is, and whether money is being sent at all."""

    next_run: datetime
    sending: bool


def held(holds: Sequence[Hold], payee: Payee, since: datetime) -> list[Wait]:
    """What a held line waits for: its holds, the last to end first, and what its expert has to do until then."""
    stand = [Wait(WaitReason(hold.reason.value), hold.placed_at, hold.expires_at) for hold in holds]
    stand.sort(key=lambda wait: wait.until or since, reverse=True)
    reasons = {wait.reason for wait in stand}
    return stand + [wait for wait in _obstacles(payee, since) if wait.reason not in reasons and wait.until is None]


def payable(payee: Payee, since: datetime, clock: Clock) -> list[Wait]:
    """What a payable line waits for: whatever keeps a run from paying it, else the next run."""
    waits = list(_obstacles(payee, since))
    if payee.missing > 0:
        waits.append(Wait(WaitReason.BELOW_MINIMUM, since, missing=payee.missing))
    return waits or [Wait(WaitReason.NEXT_RUN, since, clock.next_run)]


def sent(payout: Sent, clock: Clock) -> Wait:
    """What a payout waits for that is not settled."""
    reason = _sent_reason(payout, clock)
    if payout.unclear_since is None:
        return Wait(reason, payout.since)
    return Wait(reason, payout.unclear_since, code=payout.unclear_why)


def _sent_reason(payout: Sent, clock: Clock) -> WaitReason:
    if payout.state == "UNKNOWN":
        return WaitReason.PROVIDER_UNKNOWN
    if payout.state == "SUBMITTED":
        return WaitReason.PROVIDER_SILENT if payout.unclear_since else WaitReason.PROVIDER_PROCESSING
    return WaitReason.BEING_SENT if clock.sending or payout.state != "BATCHED" else WaitReason.SENDING_STOPPED


def _obstacles(payee: Payee, since: datetime) -> Iterator[Wait]:
    if not payee.eligible:
        yield Wait(WaitReason.NOT_ELIGIBLE, since)
    if payee.account is Account.NONE:
        yield Wait(WaitReason.NO_INSTRUMENT, since)
    elif payee.account is Account.REFUSED:
        yield Wait(WaitReason.INSTRUMENT_REFUSED, since, code=payee.refusal)
    elif payee.account is Account.COOLING_OFF:
        yield Wait(WaitReason.INSTRUMENT_COOLING_OFF, since, payee.usable_from)
