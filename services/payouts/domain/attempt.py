"""The life of a payout and of its attempts: what an outcome means, and when a new attempt is safe.

A new attempt is made only after the old one is definitely dead: refused by the provider, or absent from its closed
statements of all the time in which it could have been sent. Everything else is unknown, and is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from services.payouts.domain.rail import NeverTaken, Outcome, RailFacts, Refused, Taken, TransferState

# Sending again under the same key stops well before the provider forgets the key.
_OF_KEY_LIFE = 0.8


class AttemptState(Enum):
    """How far an attempt is."""

    CREATED = "CREATED"
    SUBMITTING = "SUBMITTING"
    SUBMITTED = "SUBMITTED"
    UNKNOWN = "UNKNOWN"
    PAID = "PAID"
    FAILED = "FAILED"
    NOT_SENT = "NOT_SENT"


ENDED = frozenset({AttemptState.PAID, AttemptState.FAILED, AttemptState.NOT_SENT})


@dataclass(frozen=True, slots=True)
class Step:
    """What an attempt becomes, with what is known of it then."""

    state: AttemptState
    provider_id: str | None = None
    failure_code: str | None = None


def after(state: AttemptState, outcome: Outcome) -> Step | None:
    """What an outcome makes of an attempt; nothing if it is old news. A state never goes back to a lesser one."""
    if state in ENDED:
        return None
    if isinstance(outcome, Taken):
        return _taken(outcome)
    if state is AttemptState.SUBMITTED:
        return None
    if isinstance(outcome, Refused):
        return Step(AttemptState.FAILED, failure_code=outcome.code)
    if isinstance(outcome, NeverTaken):
        return Step(AttemptState.NOT_SENT, failure_code="not_sent")
    return Step(AttemptState.UNKNOWN)


def _taken(outcome: Taken) -> Step:
    if outcome.state is TransferState.PAID:
        return Step(AttemptState.PAID, outcome.provider_id)
    if outcome.state is TransferState.FAILED:
        return Step(AttemptState.FAILED, outcome.provider_id, outcome.failure_code or "unknown")
    return Step(AttemptState.SUBMITTED, outcome.provider_id)


def payout_state(state: AttemptState) -> str:
    """The state of the payout whose live attempt this is: one that never reached the provider is to be sent anew."""
    return "BATCHED" if state in (AttemptState.NOT_SENT, AttemptState.CREATED) else state.value


def resend_span(facts: RailFacts) -> timedelta:
    """How long after its first sending an attempt may be sent again under its key."""
    return facts.key_ttl * _OF_KEY_LIFE


def exposure(first_sent_at: datetime, send_before: datetime, facts: RailFacts) -> tuple[datetime, datetime]:
    """From when to when, by the provider's clock, an attempt can have reached it."""
    return first_sent_at - facts.clock_skew, send_before + facts.clock_skew


def delay(base: timedelta, tries: int, longest: timedelta) -> timedelta:
    """How long to wait before the next look: doubles with each, up to `longest`."""
    factor: int = 2 ** min(tries, 20)
    return min(base * factor, longest)
