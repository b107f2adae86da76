"""Checks what an answer was promised against its batch's reserve, and joins it with the decisions about it."""

from __future__ import annotations

from collections.abc import Sequence

from preceptor.tasking.v1 import events_pb2

from chassis.bus.envelope import Event
from chassis.bus.halves import Half, join_versions
from chassis.db import Transaction
from services.payouts.context import Context
from services.payouts.domain.earning import check_terms
from services.payouts.reactions import halves
from services.payouts.usecases.accrue_earnings import accrue
from services.payouts.usecases.reserves import reserves_of


async def react(tx: Transaction, events: Sequence[Event[events_pb2.AnswerSubmitted]], context: Context) -> None:
    """Terms may wait as long as a decision takes. Raises `TermsContradicted`."""
    answers = [event.message for event in events]
    all_terms = [halves.terms_of(answer) for answer in answers]
    reserves = await reserves_of(tx, {terms.batch_id for terms in all_terms})
    for terms in all_terms:
        check_terms(terms, reserves.get(terms.batch_id))
    packed = (Half(t.answer_id, halves.pack_terms(a)) for t, a in zip(all_terms, answers, strict=True))
    pairs = await join_versions(tx, halves.JOIN, halves.TERMS, halves.DECISION, packed, patient=True)
    met = [(halves.read_terms(p.mine.payload), halves.read_decision(p.other.payload)) for p in pairs]
    traces = {terms.answer_id: event.traceparent for terms, event in zip(all_terms, events, strict=True)}
    await accrue(tx, met, context.hold_rules, traces)
