"""WorkService: contract to domain and back."""

from __future__ import annotations

from uuid import UUID

from preceptor.tasking.v1 import work_pb2
from preceptor.work.v1 import work_pb2 as work

from chassis import money
from chassis.contract.largest import LARGEST_MESSAGE
from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from chassis.rpc.paging import page_size
from services.tasking.context import Context
from services.tasking.usecases import claim_task as claiming
from services.tasking.usecases import get_held_tasks as holding
from services.tasking.usecases import keep_alive
from services.tasking.usecases import return_task as returning
from services.tasking.usecases import submit_answer as submitting

_REST = 10_000
"""More bytes than all else in a lease has."""


async def claim_task(call: Call[Context], request: work_pb2.ClaimTaskRequest) -> work_pb2.ClaimTaskResponse:
    """Gives the calling expert a lease, or says when to ask again."""
    project_id = parse_name("projects", request.project, "project") if request.project else None
    settings = call.context.settings
    row = await claiming.claim_task(call.tx, call.own_expert(), project_id, settings)
    if row is not None:
        return work_pb2.ClaimTaskResponse(lease=_lease(row))
    response = work_pb2.ClaimTaskResponse()
    response.retry_after.FromTimedelta(settings.claim_retry)
    return response


async def claim_again(call: Call[Context], kept: work_pb2.ClaimTaskResponse) -> work_pb2.ClaimTaskResponse:
    """Gives the lease that a claim was given, as it stands now."""
    if not kept.HasField("lease"):
        return kept
    slot_id = parse_name("slots", kept.lease.slot, "slot")
    return work_pb2.ClaimTaskResponse(lease=_lease(await claiming.lease_again(call.tx, slot_id, call.own_expert())))


def slot_alone(response: work_pb2.ClaimTaskResponse) -> work_pb2.ClaimTaskResponse:
    """What is kept of a claim."""
    if not response.HasField("lease"):
        return response
    return work_pb2.ClaimTaskResponse(lease=work_pb2.Lease(slot=response.lease.slot))


async def get_held_tasks(call: Call[Context], request: work_pb2.GetHeldTasksRequest) -> work_pb2.GetHeldTasksResponse:
    """Gives what the calling expert holds or may still hand in late."""
    limit = page_size(request.page_size, default=10, greatest=50)
    before = call.context.pager.position(request)
    last = UUID(str(before[0])) if before else None
    page = await holding.get_held_tasks(call.tx, call.own_expert(), last, limit, call.context.settings.late_grace)
    token = call.context.pager.token(request, str(page.rows[-1]["slot_id"])) if page.more else ""
    return work_pb2.GetHeldTasksResponse(tasks=[_held(row) for row in page.rows], next_page_token=token)


async def heartbeat(call: Call[Context], request: work_pb2.HeartbeatRequest) -> work_pb2.HeartbeatResponse:
    """Keeps the calling expert's lease alive."""
    slot_id = parse_name("slots", request.slot, "slot")
    expires_at = await keep_alive.heartbeat(
        call.tx, slot_id, call.own_expert(), request.fencing_token, call.context.settings
    )
    response = work_pb2.HeartbeatResponse()
    response.expire_time.FromDatetime(expires_at)
    return response


async def save_draft(call: Call[Context], request: work_pb2.SaveDraftRequest) -> work_pb2.SaveDraftResponse:
    """Saves the calling expert's draft."""
    version, expires_at = await keep_alive.save_draft(
        call.tx,
        parse_name("slots", request.slot, "slot"),
        call.own_expert(),
        request.fencing_token,
        request.draft.SerializeToString(deterministic=True),
        request.base_version,
        call.context.settings,
    )
    response = work_pb2.SaveDraftResponse(draft_version=version)
    response.expire_time.FromDatetime(expires_at)
    return response


async def submit_answer(call: Call[Context], request: work_pb2.SubmitAnswerRequest) -> work_pb2.SubmitAnswerResponse:
    """Takes the calling expert's answer."""
    submission = submitting.Submission(
        slot_id=parse_name("slots", request.slot, "slot"),
        expert_id=call.own_expert(),
        fencing_token=request.fencing_token,
        answer=request.answer,
        time_spent=request.time_spent,
    )
    answer_id, surplus = await submitting.submit_answer(call.tx, submission, call.context.settings)
    return work_pb2.SubmitAnswerResponse(answer=name("answers", answer_id), surplus=surplus)


async def return_task(call: Call[Context], request: work_pb2.ReturnTaskRequest) -> work_pb2.ReturnTaskResponse:
    """Takes a task back from the calling expert."""
    slot_id = parse_name("slots", request.slot, "slot")
    await returning.return_task(call.tx, slot_id, call.own_expert(), request.fencing_token)
    return work_pb2.ReturnTaskResponse()


def _held(row: Row) -> work_pb2.HeldTask:
    held = work_pb2.HeldTask(lease=_lease(row), late=row["late"])
    held.answer_until.FromDatetime(row["answer_until"])
    return held


def _fits(row: Row) -> bool:
    """Whether a draft fits into a reply with its task: one that was saved before there was a limit may not."""
    return len(row["payload"]) + 4 * len(row["instructions"]) + len(row["draft"]) < LARGEST_MESSAGE - _REST


def _lease(row: Row) -> work_pb2.Lease:
    lease = work_pb2.Lease(
        slot=name("slots", row["slot_id"]),
        task=name("tasks", row["task_id"]),
        project=name("projects", row["project_id"]),
        fencing_token=row["fencing_token"],
        payload=work.Payload.FromString(row["payload"]),
        instructions=row["instructions"],
        price=money.to_proto(row["price_minor"], row["currency"]),
        expected_seconds=row["expected_seconds"],
        swapped=row["swapped"],
        draft=work.Answer.FromString(row["draft"]) if row["draft"] is not None and _fits(row) else None,
        draft_version=row["draft_version"],
    )
    lease.expire_time.FromDatetime(row["expires_at"])
    return lease
