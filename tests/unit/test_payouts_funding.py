"""What a batch's worst case is, and whether it is reserved."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.money import price, share
from services.payouts.domain import funding
from services.payouts.domain.funding import FundingContradicted, FundingRequest, Need, RateCard, Refusal, Standing
from services.payouts.domain.rate_card import InvalidTiers, check_tiers

ID = UUID(int=7)


def request_for(card: RateCard, counts: dict[str, int], seconds: int) -> FundingRequest:
    each = {tier: price(card.rates[tier], seconds) for tier in counts}
    needs = tuple(Need(tier, count, count, seconds, each[tier]) for tier, count in counts.items())
    fee = sum(2 * count * share(each[tier], card.fee_basis_points) for tier, count in counts.items())
    total = fee + sum(2 * count * each[tier] for tier, count in counts.items())
    return FundingRequest(ID, 1, ID, ID, card.id, card.version, card.currency, needs, fee, total)


CARD = RateCard(ID, 3, "USD", 2000, {"P1": 10_500, "M3": 35_000})
REQUEST = request_for(CARD, {"P1": 10, "M3": 5}, 137)

cards = st.builds(
    lambda rates, fee: RateCard(ID, 1, "USD", fee, rates),
    st.dictionaries(st.sampled_from(["G1", "P1", "M1", "M3"]), st.integers(1, 10**7), min_size=1),
    st.integers(0, 10_000),
)


@given(cards, st.integers(0, 10**6), st.integers(0, 86_400), st.integers(0, 10_000))
def test_what_is_reserved_covers_every_answer_at_any_verdict(
    card: RateCard, count: int, seconds: int, payable: int
) -> None:
    request = request_for(card, dict.fromkeys(card.rates, count), seconds)
    funding.check(request, card, price, share)
    amounts = [share(need.amount_each, payable) for need in request.needs]
    assert sum(2 * count * (a + share(a, card.fee_basis_points)) for a in amounts) <= request.total


@pytest.mark.parametrize(
    "wrong",
    [
        replace(REQUEST, total=REQUEST.total - 1),
        replace(REQUEST, fee=REQUEST.fee + 1, total=REQUEST.total + 1),
        replace(REQUEST, currency="EUR"),
        replace(REQUEST, needs=REQUEST.needs + REQUEST.needs[:1]),
        replace(REQUEST, needs=(replace(REQUEST.needs[0], tier="ZZ"),)),
        replace(REQUEST, needs=(replace(REQUEST.needs[0], amount_each=1),)),
        replace(REQUEST, needs=(replace(REQUEST.needs[0], answers=-1),)),
    ],
)
def test_figures_that_contradict_the_card_are_refused(wrong: FundingRequest) -> None:
    with pytest.raises(FundingContradicted):
        funding.check(wrong, CARD, price, share)


def test_a_card_that_does_not_exist_is_a_contradiction() -> None:
    with pytest.raises(FundingContradicted):
        funding.check(REQUEST, None, price, share)


@pytest.mark.parametrize(
    ("standing", "refusal", "missing"),
    [
        (Standing(True, 3, REQUEST.total), None, 0),
        (Standing(True, 3, REQUEST.total - 1), Refusal.PREFUND_TOO_LOW, 1),
        (Standing(True, 4, REQUEST.total), Refusal.RATE_CARD_SUPERSEDED, 0),
        (Standing(False, 3, REQUEST.total), Refusal.VENDOR_NOT_ACTIVE, 0),
    ],
)
def test_a_request_is_reserved_or_told_what_is_missing(
    standing: Standing, refusal: Refusal | None, missing: int
) -> None:
    answer = funding.answer(REQUEST, standing)
    assert (answer.refusal, answer.missing) == (refusal, missing)


def test_wrong_tiers_are_named_by_their_place() -> None:
    with pytest.raises(InvalidTiers) as raised:
        check_tiers([("P1", 1), ("p2", 1), ("P1", 1), ("P3", 0)])
    assert [field for field, _ in raised.value.violations] == [
        "rate_card.tiers[1].tier",
        "rate_card.tiers[2].tier",
        "rate_card.tiers[3].rate_minor_per_hour",
    ]
