"""What happens to one of the thirty mid-way: staff suspends them while they hold a task with a draft."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import grpc
from preceptor.identity.v1 import expert_pb2, expert_pb2_grpc
from preceptor.payouts.v1 import earning_pb2, earning_pb2_grpc
from preceptor.scoring.v1 import consensus_pb2, consensus_pb2_grpc
from preceptor.tasking.v1 import work_pb2, work_pb2_grpc
from preceptor.work.v1.work_pb2 import Answer

from clients.refusal import reason_of
from clients.session import Session
from deploy.local.examples import Example, answer_of
from deploy.local.main_job.expert import Expert, Known, claim, serve
from deploy.local.main_job.opinions import WHY, opinion
from deploy.local.main_job.waiting import until

_SERVICES = ("identity", "tasking", "scoring", "payouts")
_DRAFTS = 4
_BETWEEN_DRAFTS_SECONDS = 0.5
_LAPSED = ("ANSWER_WINDOW_CLOSED", "LEASE_ENDED")


@dataclass(frozen=True, slots=True)
class Suspension:
    """What was held then, and how soon each service refused the token that it had taken before."""

    expert: str
    slot: str
    task: str
    draft: Answer
    refused_after: Mapping[str, float]
    """Service -> seconds."""


async def work_until_suspended(expert: Expert, known: Known, ops: Session, done: asyncio.Event) -> Suspension | None:
    """Works as others do; the first task after an answer is drafted for a while, and then staff suspends the expert.

    It is not one of gold: nobody else would get that. Nothing if there was no such task.
    """
    stub = work_pb2_grpc.WorkServiceStub(expert.session.channel("tasking"))
    while not done.is_set():
        lease = await claim(expert)
        if lease is None:
            await asyncio.sleep(0.25)
            continue
        example = known[lease.payload.SerializeToString(deterministic=True)]
        if example.gold or not expert.given:
            await serve(expert, stub, lease, example)
        elif draft := await _draft(expert, stub, lease, example):
            return Suspension(expert.name, lease.slot, lease.task, draft, await _suspend(expert, ops, lease.task))
    return None


async def _draft(
    expert: Expert, stub: work_pb2_grpc.WorkServiceAsyncStub, lease: work_pb2.Lease, example: Example
) -> Answer | None:
    """Saves drafts for some seconds of work; gives the last one, nothing if the lease ran out on a busy machine."""
    labels = opinion(expert.person, example.payload, example.truth, example.item_key, expert.chance)
    draft = answer_of(example.payload, labels, WHY)
    request = work_pb2.SaveDraftRequest(slot=lease.slot, fencing_token=lease.fencing_token, draft=draft)
    request.base_version = lease.draft_version
    try:
        for number in range(_DRAFTS):
            await asyncio.sleep(_BETWEEN_DRAFTS_SECONDS if number else 0)
            saved = await stub.SaveDraft(request, metadata=await expert.session.auth())
            if saved.expire_time.ToNanoseconds() <= time.time_ns():
                return None
            request.base_version = saved.draft_version
    except grpc.aio.AioRpcError as error:
        if reason_of(error) not in _LAPSED:
            raise
        return None
    return draft


async def _suspend(expert: Expert, ops: Session, task: str) -> Mapping[str, float]:
    """Suspends the expert; gives after how many seconds each service refused the token."""
    experts = expert_pb2_grpc.ExpertServiceStub(ops.channel("identity"))
    request = expert_pb2.SuspendExpertRequest(
        name=expert.name, reason="The account was reported as shared.", request_id=str(uuid4())
    )
    await experts.SuspendExpert(request, metadata=await ops.auth())
    began = time.monotonic()
    waits = (
        until(f"{service} refuses the suspended", partial(_refused, expert, service, task, began))
        for service in _SERVICES
    )
    return dict(zip(_SERVICES, await asyncio.gather(*waits), strict=True))


async def _refused(expert: Expert, service: str, task: str, began: float) -> float | None:
    """The seconds since `began`, if the service refuses the token now."""
    channel, auth = expert.session.channel(service), await expert.session.auth()
    try:
        match service:
            case "identity":
                asked = expert_pb2.GetExpertRequest(name=expert.name)
                await expert_pb2_grpc.ExpertServiceStub(channel).GetExpert(asked, metadata=auth)
            case "tasking":
                await work_pb2_grpc.WorkServiceStub(channel).ClaimTask(work_pb2.ClaimTaskRequest(), metadata=auth)
            case "scoring":
                consensus = consensus_pb2_grpc.ConsensusServiceStub(channel)
                await consensus.GetConsensus(consensus_pb2.GetConsensusRequest(task=task), metadata=auth)
            case _:
                lines = earning_pb2.ListEarningsRequest(parent=expert.name)
                await earning_pb2_grpc.EarningServiceStub(channel).ListEarnings(lines, metadata=auth)
    except grpc.aio.AioRpcError as error:
        return time.monotonic() - began if reason_of(error) == "TOKEN_REVOKED" else None
    return None
