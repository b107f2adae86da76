"""BatchService, the upload apart: contract to domain and back."""

from __future__ import annotations

import json
from uuid import UUID

from preceptor.tasking.v1 import batch_pb2
from preceptor.work.v1 import work_pb2

from chassis import money
from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from chassis.rpc.paging import page_size
from services.tasking.context import Context
from services.tasking.domain.budget import most_times, still_reserved
from services.tasking.usecases import decide_questions as deciding
from services.tasking.usecases import get_batch as getting
from services.tasking.usecases import list_results as listing
from services.tasking.usecases import open_batch as opening

_BEGINNING = (-1, UUID(int=0))
_NOT_OPENED = (batch_pb2.BATCH_STATE_STAGING, batch_pb2.BATCH_STATE_VALIDATING, batch_pb2.BATCH_STATE_HALTED_BUDGET)


async def open_batch(call: Call[Context], request: batch_pb2.OpenBatchRequest) -> batch_pb2.OpenBatchResponse:
    """Asks for the batch's money."""
    batch_id = parse_name("batches", request.name, "name")
    await opening.open_batch(call.tx, batch_id)
    return batch_pb2.OpenBatchResponse(batch=to_batch(await getting.get_batch(call.tx, batch_id)))


async def get_batch(call: Call[Context], request: batch_pb2.GetBatchRequest) -> batch_pb2.GetBatchResponse:
    """Gives a batch."""
    row = await getting.get_batch(call.tx, parse_name("batches", request.name, "name"))
    return batch_pb2.GetBatchResponse(batch=to_batch(row))


async def list_results(call: Call[Context], request: batch_pb2.ListResultsRequest) -> batch_pb2.ListResultsResponse:
    """Gives a page of results."""
    batch_id = parse_name("batches", request.parent, "parent")
    limit = page_size(request.page_size, default=100, greatest=1000)
    after = call.context.pager.position(request)
    start = (int(after[0]), UUID(str(after[1]))) if after else _BEGINNING
    state, rows = await listing.list_results(call.tx, batch_id, start, limit + 1)
    page = rows[:limit]
    token = ""
    if page and page[0]["found"] > len(page):
        token = call.context.pager.token(request, page[-1]["position"], str(page[-1]["task_id"]))
    results = [_result(row, opened=state not in _NOT_OPENED) for row in page]
    return batch_pb2.ListResultsResponse(results=results, next_page_token=token)


async def decide_questions(
    call: Call[Context], request: batch_pb2.DecideQuestionsRequest
) -> batch_pb2.DecideQuestionsResponse:
    """Decides open questions of a task."""
    row = await deciding.decide_questions(call.tx, parse_name("tasks", request.task, "task"), request.decisions)
    return batch_pb2.DecideQuestionsResponse(result=_result(row, opened=True))


def task_alone(response: batch_pb2.DecideQuestionsResponse) -> batch_pb2.DecideQuestionsResponse:
    """What is kept of a vendor's decisions."""
    return batch_pb2.DecideQuestionsResponse(result=batch_pb2.TaskResult(task=response.result.task))


async def decide_again(
    call: Call[Context], kept: batch_pb2.DecideQuestionsResponse
) -> batch_pb2.DecideQuestionsResponse:
    """Gives the result of the task that was decided about, as it stands now."""
    row = await listing.result_of(call.tx, parse_name("tasks", kept.result.task, "task"))
    return batch_pb2.DecideQuestionsResponse(result=_result(row, opened=True))


def to_batch(row: Row) -> batch_pb2.Batch:
    """A row of the use case as the contract shows it."""
    batch = batch_pb2.Batch(
        name=name("batches", row["batch_id"]),
        project=name("projects", row["project_id"]),
        batch_key=row["batch_key"],
        state=row["state"],
        state_reason=row["state_reason"],
        tasks=row["tasks"],
        resolved=row["resolved"],
        unresolved=row["unresolved"],
        answers=row["answers"],
        last_chunk=row["last_chunk"],
        gold_items=row["gold_items"],
        gold_tasks=row["gold_taken"],
    )
    batch.create_time.FromDatetime(row["created_at"])
    if row["reserved_minor"] is not None:
        spent, released = _spent(row), row["released_minor"]
        left = still_reserved(row["reserved_minor"], spent, released, row["kept_minor"])
        batch.reserved.CopyFrom(money.to_proto(left, row["currency"]))
        batch.spent.CopyFrom(money.to_proto(spent, row["currency"]))
        if released is not None:
            batch.released.CopyFrom(money.to_proto(released, row["currency"]))
    if row["missing_minor"] is not None:
        batch.missing.CopyFrom(money.to_proto(row["missing_minor"], row["currency"]))
    return batch


def _spent(row: Row) -> int:
    """What decided answers and paid times cost the vendor, in minor units: rounded one by one, as payouts books it."""
    price, times = row["price_minor"], row["paid_seconds"][: most_times(row["tasks"], row["max_answers"])]
    shares = json.loads(row["shares"]).items()
    pays = [(money.share(price, int(basis_points)), answers) for basis_points, answers in shares]
    pays += [(money.part(price, seconds, row["expected_seconds"]), 1) for seconds in times]
    return sum(number * (pay + money.share(pay, row["fee_basis_points"])) for pay, number in pays)


def _result(row: Row, *, opened: bool) -> batch_pb2.TaskResult:
    waiting = row["state"] == batch_pb2.TASK_STATE_AVAILABLE and not opened
    return batch_pb2.TaskResult(
        task=name("tasks", row["task_id"]),
        item_key=row["item_key"],
        state=batch_pb2.TASK_STATE_QUEUED if waiting else row["state"],
        result=work_pb2.Result.FromString(row["result"]) if row["result"] is not None else None,
        confidence=row["confidence"] or 0.0,
        answers=row["answers_seen"],
        version=row["scored_version"],
        route=row["route"],
        open_questions=work_pb2.OpenQuestions.FromString(row["open_questions"]) if row["open_questions"] else None,
        decisions=work_pb2.QuestionDecisions.FromString(row["decisions"]).decisions,
        stop_reason=row["stop_reason"],
    )
