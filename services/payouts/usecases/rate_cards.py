"""Publishes and gives rate cards. A version never changes: the next one stands beside it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis import money
from chassis.db import Transaction
from chassis.errors import InvalidArgument, NotFound
from chassis.ids import new_id
from services.payouts.domain.funding import RateCard
from services.payouts.domain.rate_card import check_tiers

_NEXT = """
INSERT INTO rate_card (id, version, currency) VALUES ($1, 1, $2)
ON CONFLICT (id) DO UPDATE SET version = rate_card.version + 1
RETURNING version, currency
"""
_VERSION = """
INSERT INTO rate_card_version (rate_card_id, version, fee_basis_points, published_by) VALUES ($1, $2, $3, $4)
"""
_TIERS = """
INSERT INTO rate_card_tier (rate_card_id, version, place, tier, rate_minor_per_hour)
SELECT $1, $2, place, tier, rate FROM unnest($3::text[], $4::bigint[]) WITH ORDINALITY AS t (tier, rate, place)
"""
_EXISTS = "SELECT true FROM rate_card WHERE id = $1"
_NEWEST = "SELECT version FROM rate_card WHERE id = $1"
_AT = """
SELECT v.rate_card_id AS id, v.version, c.currency, v.fee_basis_points, t.tier, t.rate_minor_per_hour
FROM (SELECT DISTINCT * FROM unnest($1::uuid[], $2::bigint[])) AS w (id, version)
JOIN rate_card_version v ON v.rate_card_id = w.id AND v.version = w.version
JOIN rate_card c ON c.id = v.rate_card_id
JOIN rate_card_tier t ON t.rate_card_id = v.rate_card_id AND t.version = v.version
ORDER BY v.rate_card_id, v.version, t.place
"""


class RateCardNotFound(NotFound):
    """There is no such rate card."""

    reason = "RATE_CARD_NOT_FOUND"


class CurrencyFixed(InvalidArgument):
    """A rate card keeps its currency: make a new card for another one."""

    reason = "RATE_CARD_CURRENCY_FIXED"


async def publish(
    tx: Transaction,
    card_id: UUID | None,
    currency: str,
    tiers: Sequence[tuple[str, int]],
    fee_basis_points: int,
    published_by: UUID,
) -> RateCard:
    """Publishes the next version of a card, or the first of a new one. Rates are minor units an hour.

    Raises `RateCardNotFound`, `CurrencyFixed`, `InvalidTiers`, `UnknownCurrency`.
    """
    money.exponent(currency)
    check_tiers(tiers)
    if card_id is not None and not await tx.fetchval(_EXISTS, card_id):
        raise RateCardNotFound(field="rate_card.name")
    id_ = card_id or new_id()
    row = await tx.fetchrow(_NEXT, id_, currency)
    assert row is not None
    if row["currency"] != currency:
        raise CurrencyFixed(field="rate_card.currency")
    await tx.execute(_VERSION, id_, row["version"], fee_basis_points, published_by)
    await tx.execute(_TIERS, id_, row["version"], [tier for tier, _ in tiers], [rate for _, rate in tiers])
    card = RateCard(id_, row["version"], currency, fee_basis_points, dict(tiers))
    tx.emit(_event(card))
    return card


async def newest(tx: Transaction, card_id: UUID) -> RateCard:
    """The newest version of a card. Raises `RateCardNotFound`."""
    version = await tx.fetchval(_NEWEST, card_id)
    if version is None:
        raise RateCardNotFound(field="name")
    return (await cards_at(tx, [(card_id, version)]))[card_id, version]


async def cards_at(tx: Transaction, wanted: Sequence[tuple[UUID, int]]) -> dict[tuple[UUID, int], RateCard]:
    """Cards at given versions, those that there are."""
    rows = await tx.fetch(_AT, [id_ for id_, _ in wanted], [version for _, version in wanted])
    rates: dict[tuple[UUID, int], dict[str, int]] = {}
    for row in rows:
        rates.setdefault((row["id"], row["version"]), {})[row["tier"]] = row["rate_minor_per_hour"]
    heads = {(row["id"], row["version"]): row for row in rows}
    return {key: RateCard(*key, head["currency"], head["fee_basis_points"], rates[key]) for key, head in heads.items()}


def _event(card: RateCard) -> events_pb2.RateCardPublished:
    return events_pb2.RateCardPublished(
        rate_card_id=str(card.id),
        version=card.version,
        currency=card.currency,
        tiers=[events_pb2.TierRate(tier=tier, rate_minor_per_hour=rate) for tier, rate in card.rates.items()],
        fee_basis_points=card.fee_basis_points,
    )
