"""How use cases tell judgements in events."""

from __future__ import annotations

from preceptor.scoring.v1 import events_pb2

from services.scoring.domain.judging import Judgement


def to_judgement(judgement: Judgement) -> events_pb2.Judgement:
    """A judgement as the contract has it."""
    told = events_pb2.Judgement(
        answer_id=str(judgement.answer_id),
        proposal=events_pb2.Proposal.ValueType(judgement.proposal),
        payable_basis_points=judgement.payable_basis_points,
    )
    if judgement.ground:
        told.ground, told.evidence = judgement.ground, judgement.evidence
    return told
