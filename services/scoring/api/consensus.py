"""ConsensusService: what the answers to a task agree on, and why."""

from __future__ import annotations

from preceptor.scoring.v1 import consensus_pb2
from preceptor.scoring.v1.events_pb2 import StopReason, Verdict
from preceptor.work.v1.work_pb2 import Questions, Result

from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from services.scoring.aggregation.types import aggregator_for
from services.scoring.context import Context
from services.scoring.domain.explanation import MOST_IN_WORDS, Cast, Explained, arithmetic, arithmetic_of_task
from services.scoring.domain.models import is_model
from services.scoring.usecases import explain_consensus as explaining
from services.scoring.usecases import get_consensus as usecase


async def get_consensus(
    call: Call[Context], request: consensus_pb2.GetConsensusRequest
) -> consensus_pb2.GetConsensusResponse:
    """Gives a task's consensus as it stands. A vendor's scope shows its own tasks only.

    Raises `InvalidName`, `ConsensusNotFound`: the same for a task of another vendor and for one that is not there.
    """
    found = await usecase.get_consensus(call.tx, parse_name("tasks", request.task, "task"))
    questions = Questions.FromString(found.questions).questions
    labels = [aggregator_for(found.task_type).labels(question) for question in questions]
    return consensus_pb2.GetConsensusResponse(
        verdict=Verdict.ValueType(found.verdict),
        stop_reason=StopReason.ValueType(found.reason),
        result=Result.FromString(found.result),
        confidence=found.confidence,
        version=found.version,
        votes=[
            consensus_pb2.Vote(
                answer=name("answers", vote.answer_id),
                question=questions[vote.question].id,
                label=labels[vote.question][vote.label],
                weight=vote.weight,
                model=is_model(vote.answer_id),
            )
            for vote in found.votes
        ],
    )


async def explain_consensus(
    call: Call[Context], request: consensus_pb2.ExplainConsensusRequest
) -> consensus_pb2.ExplainConsensusResponse:
    """Tells how a task's consensus was reached: by answers, never by who gave them. Raises as `get_consensus` does."""
    found = await explaining.explain_consensus(call.tx, parse_name("tasks", request.task, "task"))
    told = found.consensus
    return consensus_pb2.ExplainConsensusResponse(
        verdict=Verdict.ValueType(told.verdict),
        stop_reason=StopReason.ValueType(told.reason),
        result=Result.FromString(told.result),
        confidence=told.confidence,
        version=told.version,
        questions=[_question(each, MOST_IN_WORDS // len(found.questions)) for each in found.questions],
        arithmetic=arithmetic_of_task(found.questions, found.told),
    )


def _question(explained: Explained, most_votes: int) -> consensus_pb2.QuestionExplanation:
    return consensus_pb2.QuestionExplanation(
        question=explained.question,
        labels=explained.labels,
        told="" if explained.told is None else explained.labels[explained.told],
        votes=[_vote(vote, explained.labels[vote.label], len(explained.labels)) for vote in explained.votes],
        set_aside=[name("answers", answer_id) for answer_id in explained.set_aside],
        abstained=explained.abstained,
        models=[
            consensus_pb2.ExplainedModel(
                name=model.name, weight=model.weight, prior=model.prior, posterior=model.posterior
            )
            for model in explained.models
        ],
        temperature=explained.temperature,
        probabilities=explained.probabilities,
        arithmetic=arithmetic(explained, most_votes),
    )


def _vote(vote: Cast, label: str, classes: int) -> consensus_pb2.ExplainedVote:
    return consensus_pb2.ExplainedVote(
        answer=name("answers", vote.answer_id),
        label=label,
        weight=vote.weight,
        weight_now=vote.rater.weight(classes),
        **vote.rater._asdict(),
        model=is_model(vote.answer_id),
    )
