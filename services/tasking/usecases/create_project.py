"""Makes a project."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from chassis import money
from chassis.db import Transaction
from chassis.errors import FailedPrecondition
from chassis.ids import new_id
from services.tasking.domain.budget import check_cost, worst_case

_VENDOR_ACTIVE = "SELECT coalesce((SELECT active FROM vendor WHERE vendor_id = $1), false)"
_CARD = "SELECT fee_basis_points, (rates ->> $2)::bigint AS rate FROM rate_card WHERE rate_card_id = $1"

_INSERT = """
INSERT INTO project (project_id, vendor_id, display_name, task_type, domain, locale, instructions, required_claims,
                     min_answers, max_answers, stop_confidence, rate_card_id, tier, expected_seconds, lease,
                     least_worth, agreed_confidence)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
"""


class VendorNotActive(FailedPrecondition):
    """The vendor is not active, or was made a moment ago and is not known here yet."""

    reason = "VENDOR_NOT_ACTIVE"


class RateCardUnknown(FailedPrecondition):
    """There is no such rate card, or it was published a moment ago and is not known here yet."""

    reason = "RATE_CARD_UNKNOWN"


class TierUnknown(FailedPrecondition):
    """The rate card has no such tier."""

    reason = "TIER_UNKNOWN"


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project to be made; numbers of enums as in the contract, claims as ``kind=value``. Of the stop rule None stands
    where the vendor leaves something out.
    """

    vendor_id: UUID
    display_name: str
    task_type: int
    domain: int
    locale: str
    instructions: str
    required_claims: list[str]
    min_answers: int
    max_answers: int
    stop_confidence: float
    rate_card_id: UUID
    tier: str
    expected_seconds: int
    lease: timedelta
    least_worth: float | None = None
    agreed_confidence: float | None = None


async def create_project(tx: Transaction, new: NewProject) -> UUID:
    """Returns the id. Raises `VendorNotActive`, `RateCardUnknown`, `TierUnknown`, `PriceTooLow` or `BatchTooCostly`."""
    if not await tx.fetchval(_VENDOR_ACTIVE, new.vendor_id):
        raise VendorNotActive
    card = await tx.fetchrow(_CARD, new.rate_card_id, new.tier)
    if card is None:
        raise RateCardUnknown(field="project.rate_card")
    if card["rate"] is None:
        raise TierUnknown(field="project.tier")
    # A project of which no batch could ever be opened is none: not even one of a single task.
    price = money.price(card["rate"], new.expected_seconds)
    cost = worst_case(1, new.max_answers, price, card["fee_basis_points"], money.share)
    check_cost(cost, money.GREATEST_AMOUNT, "project.expected_seconds")
    project_id = new_id()
    await tx.execute(
        _INSERT,
        project_id,
        new.vendor_id,
        new.display_name,
        new.task_type,
        new.domain,
        new.locale,
        new.instructions,
        new.required_claims,
        new.min_answers,
        new.max_answers,
        new.stop_confidence,
        new.rate_card_id,
        new.tier,
        new.expected_seconds,
        new.lease,
        new.least_worth,
        new.agreed_confidence,
    )
    return project_id
