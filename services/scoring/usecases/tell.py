"""How use cases tell judgements in events."""

from __future__ import annotations

from collections.abc import Iterable

from preceptor.scoring.v1 import events_pb2

from services.scoring.domain.judging import Judgement


def tell_judgements(event: events_pb2.TaskScored, judgements: Iterable[Judgement]) -> None:
    """Adds judgements as the contract has them: in place, as to make each and copy it costs twice as much."""
    for judgement in judgements:
        told = event.judgements.add()
        told.answer_id = str(judgement.answer_id)
        told.proposal = events_pb2.Proposal.ValueType(judgement.proposal)
        told.payable_basis_points = judgement.payable_basis_points
        if judgement.ground:
            told.ground, told.evidence = judgement.ground, judgement.evidence
