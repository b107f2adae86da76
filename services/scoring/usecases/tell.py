"""How use cases tell judgements and open questions in events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from preceptor.scoring.v1 import events_pb2
from preceptor.work.v1.work_pb2 import LabelCount, OpenQuestion, OpenQuestions

from services.scoring.domain.consensus import Finding
from services.scoring.domain.judging import Judgement
from services.scoring.domain.scoring import Scoring
from services.scoring.usecases.tasks import Form


def tell_judgements(event: events_pb2.TaskScored, judgements: Iterable[Judgement]) -> None:
    """Adds judgements as the contract has them: in place, as to make each and copy it costs twice as much."""
    for judgement in judgements:
        told = event.judgements.add()
        told.answer_id = str(judgement.answer_id)
        told.proposal = events_pb2.Proposal.ValueType(judgement.proposal)
        told.payable_basis_points = judgement.payable_basis_points
        if judgement.ground:
            told.ground, told.evidence = judgement.ground, judgement.evidence


def to_open_questions(form: Form, scoring: Scoring) -> OpenQuestions:
    """What is put to the vendor of a task of this form."""
    return OpenQuestions(
        questions=[
            _open_question(form.names[place], form.labels[place], scoring.findings[place])
            for place in scoring.routing.questions
        ]
    )


def _open_question(name: str, labels: Sequence[str], finding: Finding) -> OpenQuestion:
    said = Counter(ballot.label for ballot in finding.ballots)
    counts = sorted(said.items(), key=lambda each: (-each[1], each[0]))
    told = [LabelCount(label=labels[label], experts=experts) for label, experts in counts]
    return OpenQuestion(id=name, said=told, cannot_assess=finding.abstained, labels=labels)
