"""preceptor.payouts.v1.RateCardService."""

from __future__ import annotations

from preceptor.payouts.v1 import events_pb2
from preceptor.payouts.v1.rate_card_pb2 import (
    GetRateCardRequest,
    GetRateCardResponse,
    PublishRateCardRequest,
    PublishRateCardResponse,
)
from preceptor.payouts.v1.rate_card_pb2 import RateCard as RateCardProto

from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from services.payouts.context import Context
from services.payouts.domain.funding import RateCard
from services.payouts.usecases import rate_cards


async def publish_rate_card(call: Call[Context], request: PublishRateCardRequest) -> PublishRateCardResponse:
    """Publishes the next version."""
    asked = request.rate_card
    card = await rate_cards.publish(
        call.tx,
        parse_name("rateCards", asked.name, "rate_card.name") if asked.name else None,
        asked.currency,
        [(tier.tier, tier.rate_minor_per_hour) for tier in asked.tiers],
        asked.fee_basis_points,
        call.caller.subject,
    )
    return PublishRateCardResponse(rate_card=_proto(card))


async def get_rate_card(call: Call[Context], request: GetRateCardRequest) -> GetRateCardResponse:
    """Gives the newest version."""
    card = await rate_cards.newest(call.tx, parse_name("rateCards", request.name, "name"))
    return GetRateCardResponse(rate_card=_proto(card))


def _proto(card: RateCard) -> RateCardProto:
    return RateCardProto(
        name=name("rateCards", card.id),
        version=card.version,
        currency=card.currency,
        tiers=[events_pb2.TierRate(tier=tier, rate_minor_per_hour=rate) for tier, rate in card.rates.items()],
        fee_basis_points=card.fee_basis_points,
    )
