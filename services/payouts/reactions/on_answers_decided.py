"""Joins decisions with what their answers were promised, and posts the money that they move."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from preceptor.tasking.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.bus.halves import Half, join_versions
from chassis.db import Transaction
from services.payouts.context import Context
from services.payouts.domain.earning import check_decision
from services.payouts.reactions import halves
from services.payouts.usecases.accrue_earnings import accrue


async def react(tx: Transaction, events: Sequence[Event[events_pb2.AnswersDecided]], context: Context) -> None:
    """A decision that comes before its answer waits for it. Raises what `accrue` does."""
    decided = [half for event in events for half in _halves(event.message)]
    traces = {halves.answer_id_of(decision): e.traceparent for e in events for decision in e.message.decisions}
    pairs = await join_versions(tx, halves.JOIN, halves.DECISION, halves.TERMS, decided)
    met = [(halves.read_terms(p.other.payload), halves.read_decision(p.mine.payload)) for p in pairs]
    await accrue(tx, met, context.hold_rules, traces)


def _halves(event: events_pb2.AnswersDecided) -> Iterator[Half]:
    for decision in event.decisions:
        check_decision(halves.decision_of(event, decision))
        yield Half(halves.answer_id_of(decision), halves.pack_decision(event, decision), decision.version)
