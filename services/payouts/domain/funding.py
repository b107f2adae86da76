"""Whether a batch's worst case is reserved, and at which terms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from uuid import UUID

from chassis.errors import FailedPrecondition


class FundingContradicted(FailedPrecondition):
    """The figures asked for do not agree with the rate card they name, or with what is reserved already."""

    reason = "FUNDING_CONTRADICTED"


@dataclass(frozen=True, slots=True)
class Need:
    """What a batch may cost at most in one tier. Seconds are those paid for one answer."""

    tier: str
    answers: int
    surplus: int
    seconds_each: int
    amount_each: int
    times: int = 0
    """Times that are paid without an answer, each at most as one."""


@dataclass(frozen=True, slots=True)
class FundingRequest:
    """One try to get a batch reserved. Money is in minor units."""

    batch_id: UUID
    attempt: int
    vendor_id: UUID
    project_id: UUID
    rate_card_id: UUID
    rate_card_version: int
    currency: str
    needs: tuple[Need, ...]
    fee: int
    total: int


@dataclass(frozen=True, slots=True)
class RateCard:
    """A version of a rate card: minor units an hour by tier, the fee in basis points of what experts are paid."""

    id: UUID
    version: int
    currency: str
    fee_basis_points: int
    rates: Mapping[str, int]


class Refusal(Enum):
    """Why a batch's worst case is not reserved."""

    PREFUND_TOO_LOW = "PREFUND_TOO_LOW"
    RATE_CARD_SUPERSEDED = "RATE_CARD_SUPERSEDED"
    VENDOR_NOT_ACTIVE = "VENDOR_NOT_ACTIVE"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered: nothing against it, or why not and what is missing in minor units."""

    request: FundingRequest
    refusal: Refusal | None = None
    missing: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """What we know when a request comes: of its vendor, its card, its batch, and what the prefund holds."""

    vendor_active: bool
    newest_version: int
    available: int


def answer(request: FundingRequest, standing: Standing) -> Answer:
    """Decides a request whose figures are checked."""
    if not standing.vendor_active:
        return Answer(request, Refusal.VENDOR_NOT_ACTIVE)
    if request.rate_card_version < standing.newest_version:
        return Answer(request, Refusal.RATE_CARD_SUPERSEDED)
    if standing.available < request.total:
        return Answer(request, Refusal.PREFUND_TOO_LOW, request.total - standing.available)
    return Answer(request)


def check(
    request: FundingRequest, card: RateCard | None, price: Callable[[int, int], int], share: Callable[[int, int], int]
) -> None:
    """Recomputes a request from the card that it names; `price(rate, seconds)` and `share(minor, basis points)` round.

    The fee is rounded per answer, as it is booked later: then what is booked never exceeds what is reserved. Raises
    `FundingContradicted`.
    """
    if card is None or card.currency != request.currency:
        raise FundingContradicted("no such rate card in this currency", batch=str(request.batch_id))
    if len({need.tier for need in request.needs}) != len(request.needs):
        raise FundingContradicted("a tier is named twice", batch=str(request.batch_id))
    for need in request.needs:
        _check_need(need, card, price)
    fee = sum(_count(need) * share(need.amount_each, card.fee_basis_points) for need in request.needs)
    total = fee + sum(_count(need) * need.amount_each for need in request.needs)
    if (fee, total) != (request.fee, request.total):
        raise FundingContradicted("fee or total is not the sum of its parts", fee=str(fee), total=str(total))


def _check_need(need: Need, card: RateCard, price: Callable[[int, int], int]) -> None:
    if min(need.answers, need.surplus, need.times, need.seconds_each) < 0:
        raise FundingContradicted("a number is negative", tier=need.tier)
    if (rate := card.rates.get(need.tier)) is None:
        raise FundingContradicted("the card has no such tier", tier=need.tier)
    if (priced := price(rate, need.seconds_each)) != need.amount_each:
        raise FundingContradicted("the price is not the card's", tier=need.tier, price=str(priced))


def _count(need: Need) -> int:
    return need.answers + need.surplus + need.times
