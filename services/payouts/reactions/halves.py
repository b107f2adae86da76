"""The two halves of a pay line, as they wait for each other: an answer's terms, and the decisions about it."""

from __future__ import annotations

from datetime import UTC
from uuid import UUID

from preceptor.tasking.v1 import events_pb2

from chassis.ids import parse_id
from services.payouts.domain.earning import DecidedBy, Decision, Terms, TermsContradicted

JOIN = "payable_answer"
TERMS = "terms"
DECISION = "decision"

_DECIDED_BY = {
    events_pb2.DECIDED_BY_CONSENSUS: DecidedBy.CONSENSUS,
    events_pb2.DECIDED_BY_PERSON: DecidedBy.PERSON,
    events_pb2.DECIDED_BY_DEADLINE: DecidedBy.DEADLINE,
}


def pack_terms(event: events_pb2.AnswerSubmitted) -> bytes:
    """What payouts keeps of an answer: not what it says."""
    kept = events_pb2.AnswerSubmitted()
    kept.CopyFrom(event)
    for field in ("answer", "redundancy"):
        kept.ClearField(field)
    return kept.SerializeToString(deterministic=True)


def pack_decision(event: events_pb2.AnswersDecided, decision: events_pb2.Decision) -> bytes:
    """One decision with its task and batch."""
    alone = events_pb2.AnswersDecided(task_id=event.task_id, batch_id=event.batch_id, decisions=[decision])
    return alone.SerializeToString(deterministic=True)


def read_terms(packed: bytes) -> Terms:
    """The terms in a half."""
    return terms_of(events_pb2.AnswerSubmitted.FromString(packed))


def read_decision(packed: bytes) -> Decision:
    """The decision in a half."""
    event = events_pb2.AnswersDecided.FromString(packed)
    return decision_of(event, event.decisions[0])


def terms_of(event: events_pb2.AnswerSubmitted) -> Terms:
    """An answer's terms. Raises `InvalidName` for a malformed id."""
    return Terms(
        answer_id=parse_id(event.answer_id, "answer_id"),
        slot_id=parse_id(event.slot_id, "slot_id"),
        task_id=parse_id(event.task_id, "task_id"),
        batch_id=parse_id(event.batch_id, "batch_id"),
        project_id=parse_id(event.project_id, "project_id"),
        vendor_id=parse_id(event.vendor_id, "vendor_id"),
        expert_id=parse_id(event.expert_id, "expert_id"),
        rate_card_version=event.terms.rate_card_version,
        tier=event.terms.tier,
        amount=event.terms.amount_minor,
        currency=event.terms.currency,
        fee_basis_points=event.terms.fee_basis_points,
        active_seconds=event.time_spent.active_seconds,
        idle_seconds=event.time_spent.idle_seconds,
        surplus=event.surplus,
        submitted_at=event.submit_time.ToDatetime(UTC),
    )


def decision_of(event: events_pb2.AnswersDecided, decision: events_pb2.Decision) -> Decision:
    """A decision as the domain takes it. Raises `InvalidName`, `TermsContradicted`."""
    return Decision(
        task_id=parse_id(event.task_id, "task_id"),
        batch_id=parse_id(event.batch_id, "batch_id"),
        version=decision.version,
        payable_basis_points=decision.payable_basis_points,
        by=_decided_by(decision),
        ground=decision.ground,
    )


def answer_id_of(decision: events_pb2.Decision) -> UUID:
    """The answer that a decision is about. Raises `InvalidName`."""
    return parse_id(decision.answer_id, "answer_id")


def _decided_by(decision: events_pb2.Decision) -> DecidedBy:
    if (by := _DECIDED_BY.get(decision.decided_by)) is None:
        raise TermsContradicted("the decision does not say who decided", answer=decision.answer_id)
    return by
