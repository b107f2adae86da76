"""ConsensusService: what the answers to a task agree on, and why."""

from __future__ import annotations

from preceptor.scoring.v1 import consensus_pb2
from preceptor.scoring.v1.events_pb2 import Verdict
from preceptor.work.v1.work_pb2 import Questions, Result

from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from services.scoring.aggregation import aggregator_for
from services.scoring.context import Context
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
        result=Result.FromString(found.result),
        confidence=found.confidence,
        version=found.version,
        votes=[
            consensus_pb2.Vote(
                answer=name("answers", vote.answer_id),
                question=questions[vote.question].id,
                label=labels[vote.question][vote.label],
                weight=vote.weight,
            )
            for vote in found.votes
        ],
    )
