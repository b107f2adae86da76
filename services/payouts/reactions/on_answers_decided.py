"""Joins decisions with what their answers were promised, and posts the money that they move."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from uuid import UUID

from preceptor.tasking.v1 import events_pb2

from chassis import tracing
from chassis.bus.envelope import Event
from chassis.bus.halves import Half, join_versions
from chassis.db import Transaction
from chassis.tracing import Kind, Span
from services.payouts.context import Context
from services.payouts.domain.earning import check_decision
from services.payouts.reactions import halves
from services.payouts.usecases.accrue_earnings import accrue


async def react(tx: Transaction, events: Sequence[Event[events_pb2.AnswersDecided]], context: Context) -> None:
    """A decision that comes before its answer waits for it. Raises what `accrue` does."""
    decided = [half for event in events for half in _halves(event.message)]
    joined = _in_traces_of_answers(events)
    traces = {halves.answer_id_of(decision): e.traceparent for e in events for decision in e.message.decisions}
    traces |= {answer_id: span.header() for answer_id, (span, _) in joined.items()}
    pairs = await join_versions(tx, halves.JOIN, halves.DECISION, halves.TERMS, decided)
    met = [(halves.read_terms(p.other.payload), halves.read_decision(p.mine.payload)) for p in pairs]
    await accrue(tx, met, context.hold_rules, traces)
    tx.on_commit(partial(_tell, joined.values()))


def _in_traces_of_answers(events: Sequence[Event[events_pb2.AnswersDecided]]) -> dict[UUID, tuple[Span, str]]:
    """By answer whose own trace is recorded: a span in it, and the traceparent of the decision, which is in another."""
    return {
        halves.answer_id_of(decision): (span, event.traceparent)
        for event in events
        for decision in event.message.decisions
        if (span := tracing.joined(decision.trace_id, event.traceparent))
    }


def _tell(joined: Iterable[tuple[Span, str]]) -> None:
    now = time.time_ns()
    for span, decision in joined:
        cause = tracing.parse(decision)
        tracing.tell(span, "answer decided", Kind.INTERNAL, now, {}, [cause] if cause else [])


def _halves(event: events_pb2.AnswersDecided) -> Iterator[Half]:
    for decision in event.decisions:
        check_decision(halves.decision_of(event, decision))
        yield Half(halves.answer_id_of(decision), halves.pack_decision(event, decision), decision.version)
