"""ConsensusService, by project: how far raters agree, and having all of it scored anew."""

from __future__ import annotations

from math import isnan

from preceptor.scoring.v1 import consensus_pb2

from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from services.scoring.aggregation.tasks.agreement import Interval
from services.scoring.context import Context
from services.scoring.usecases import get_agreement as agreement
from services.scoring.usecases import get_rescore as getting
from services.scoring.usecases import rescore_project as rescoring


async def get_agreement(
    call: Call[Context], request: consensus_pb2.GetAgreementRequest
) -> consensus_pb2.GetAgreementResponse:
    """Tells the agreement panel of a project. No transaction is open while figures are made.

    Raises `InvalidName`, `ProjectNotScored`: the same for a project of another vendor and for one that is not there.
    """
    project_id = parse_name("projects", request.project, "project")
    counted, left_out = await call.database.run(
        call.caller.scope, lambda tx: agreement.count(tx, project_id, request.question)
    )
    found = await agreement.figures(counted)
    return consensus_pb2.GetAgreementResponse(questions=map(_agreement, found), left_out=left_out)


async def rescore_project(
    call: Call[Context], request: consensus_pb2.RescoreProjectRequest
) -> consensus_pb2.RescoreProjectResponse:
    """Has a project scored anew. Raises `InvalidName`, `ProjectNotScored`, the latter as `get_agreement` does."""
    asked_by = f"{call.caller.kind} {call.caller.subject}"
    rescore_id = await rescoring.rescore_project(call.tx, parse_name("projects", request.project, "project"), asked_by)
    return consensus_pb2.RescoreProjectResponse(rescore=_rescore(await getting.get_rescore(call.tx, rescore_id)))


async def get_rescore(
    call: Call[Context], request: consensus_pb2.GetRescoreRequest
) -> consensus_pb2.GetRescoreResponse:
    """Tells how far a rescore is. Raises `InvalidName`, `RescoreNotFound`: another vendor's is told as missing."""
    row = await getting.get_rescore(call.tx, parse_name("rescores", request.name, "name"))
    return consensus_pb2.GetRescoreResponse(rescore=_rescore(row))


def _agreement(found: agreement.Agreement) -> consensus_pb2.QuestionAgreement:
    counted = found.counted
    return consensus_pb2.QuestionAgreement(
        question=counted.panel.question,
        labels=counted.panel.labels,
        tasks=int(counted.tallies.times.sum()),
        raters=counted.raters,
        votes=counted.votes,
        **{figure: _figure(interval) for figure, interval in found.figures.items() if not isnan(interval.value)},
    )


def _figure(interval: Interval) -> consensus_pb2.Figure:
    figure = consensus_pb2.Figure(value=interval.value)
    if not isnan(interval.low):
        figure.low, figure.high = interval.low, interval.high
    return figure


def _rescore(row: Row) -> consensus_pb2.Rescore:
    done = row["done_at"] is not None
    rescore = consensus_pb2.Rescore(
        name=name("rescores", row["rescore_id"]),
        project=name("projects", row["project_id"]),
        state=consensus_pb2.RESCORE_STATE_DONE if done else consensus_pb2.RESCORE_STATE_PENDING,
        requested_by=row["requested_by"].partition(" ")[0].upper(),
        votes=row["votes"],
        tasks=row["tasks"],
        changed=row["changed"],
    )
    rescore.request_time.FromDatetime(row["requested_at"])
    if done:
        rescore.done_time.FromDatetime(row["done_at"])
    return rescore
