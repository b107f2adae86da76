"""Why an earned line is not payable yet, and for how long at most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum


class HoldReason(Enum):
    """Why a line is held."""

    REVIEW_WINDOW = "REVIEW_WINDOW"
    """Every line is, for a while: the vendor may still ask for a review."""
    FIRST_PAYOUT_HOLD = "FIRST_PAYOUT_HOLD"
    """The expert has not been paid yet."""
    NOT_ELIGIBLE = "NOT_ELIGIBLE"
    """Money may not be sent to the expert for now, or nothing is known of them yet."""
    VENDOR_NOT_ACTIVE = "VENDOR_NOT_ACTIVE"
    """The vendor may not push work for now."""


@dataclass(frozen=True, slots=True)
class HoldRules:
    """How long lines are held at most, by reason."""

    review_window: timedelta
    first_payout: timedelta
    failed_check: timedelta


@dataclass(frozen=True, slots=True)
class Payee:
    """What is known of the people of a line when it is earned."""

    expert_eligible: bool
    expert_paid_before: bool
    vendor_active: bool


def holds(payee: Payee, rules: HoldRules) -> Mapping[HoldReason, timedelta]:
    """The holds that a fresh line gets. Each expires by itself; some are lifted before."""
    stand = {HoldReason.REVIEW_WINDOW: rules.review_window}
    if not payee.expert_paid_before:
        stand[HoldReason.FIRST_PAYOUT_HOLD] = rules.first_payout
    if not payee.expert_eligible:
        stand[HoldReason.NOT_ELIGIBLE] = rules.failed_check
    if not payee.vendor_active:
        stand[HoldReason.VENDOR_NOT_ACTIVE] = rules.failed_check
    return stand
