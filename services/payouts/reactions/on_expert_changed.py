"""Keeps the newest state of experts."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.identity.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.db import Transaction
from chassis.ids import parse_id
from services.payouts.context import Context
from services.payouts.usecases.projections import ExpertState, take_experts


async def react(tx: Transaction, events: Sequence[Event[events_pb2.ExpertChanged]], _: Context) -> None:
    """An expert who may be paid again frees the lines that were held for it."""
    await take_experts(tx, [_state(event.message) for event in events])


def _state(expert: events_pb2.ExpertChanged) -> ExpertState:
    person = parse_id(expert.person_id, "person_id") if expert.person_id else None
    return ExpertState(parse_id(expert.expert_id, "expert_id"), expert.version, person, expert.payout_eligible)
