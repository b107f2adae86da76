"""Keeps the newest version of each rate card: batches are priced by it when they are opened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from uuid import UUID

from preceptor.payouts.v1 import events_pb2

from chassis import money
from chassis.bus.envelope import Event
from chassis.db import Transaction
from services.tasking.context import Context

_APPLY = """
INSERT INTO rate_card AS known (rate_card_id, version, currency, fee_basis_points, rates)
SELECT DISTINCT ON (new.rate_card_id) new.*
FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::integer[], $5::jsonb[])
     AS new (rate_card_id, version, currency, fee_basis_points, rates)
ORDER BY new.rate_card_id, new.version DESC
ON CONFLICT (rate_card_id) DO UPDATE
SET version = excluded.version, currency = excluded.currency, fee_basis_points = excluded.fee_basis_points,
    rates = excluded.rates
WHERE excluded.version > known.version
"""


async def react(tx: Transaction, events: Sequence[Event[events_pb2.RateCardPublished]], _: Context) -> None:
    """Applies the newest version of each rate card. Raises `UnknownCurrency`."""
    cards = [event.message for event in events]
    await tx.execute(
        _APPLY,
        [UUID(card.rate_card_id) for card in cards],
        [card.version for card in cards],
        [money.known(card.currency) for card in cards],
        [card.fee_basis_points for card in cards],
        [json.dumps({tier.tier: tier.rate_minor_per_hour for tier in card.tiers}) for card in cards],
    )
