"""ReviewService: contract to domain and back."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from preceptor.tasking.v1 import review_pb2
from preceptor.work.v1.work_pb2 import TimeSpent

from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from chassis.rpc.paging import page_size
from services.tasking.context import Context
from services.tasking.domain.hold_time import held, mismatch
from services.tasking.usecases import decide_case as deciding
from services.tasking.usecases import list_cases as listing

_BEGINNING = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


async def list_cases(call: Call[Context], request: review_pb2.ListCasesRequest) -> review_pb2.ListCasesResponse:
    """Gives a page of open cases."""
    limit = page_size(request.page_size, default=50, greatest=500)
    after = call.context.pager.position(request)
    start = (datetime.fromisoformat(str(after[0])), UUID(str(after[1]))) if after else _BEGINNING
    rows = await listing.list_cases(call.tx, start, limit + 1)
    page = rows[:limit]
    token = ""
    if len(rows) > limit:
        token = call.context.pager.token(request, page[-1]["due_at"].isoformat(), str(page[-1]["case_id"]))
    return review_pb2.ListCasesResponse(cases=[_case(row) for row in page], next_page_token=token)


async def decide_case(call: Call[Context], request: review_pb2.DecideCaseRequest) -> review_pb2.DecideCaseResponse:
    """Decides a case in the name of the caller."""
    ruling = deciding.Ruling(
        case_id=parse_name("cases", request.name, "name"),
        payable=request.payable_basis_points,
        ground=request.ground,
        reason=request.reason,
        reviewer=call.caller.subject,
        reviewer_person=call.caller.person_id,
    )
    return review_pb2.DecideCaseResponse(decision_version=await deciding.decide_case(call.tx, ruling))


def _case(row: Row) -> review_pb2.Case:
    case = review_pb2.Case(
        name=name("cases", row["case_id"]),
        answer=name("answers", row["answer_id"]),
        task=name("tasks", row["task_id"]),
        proposed_basis_points=row["proposed_basis_points"],
        ground=row["ground"],
        evidence=row["evidence"],
        time_spent=TimeSpent(active_seconds=row["active_seconds"], idle_seconds=row["idle_seconds"]),
        time_mismatch=mismatch(row["leased_at"], row["submitted_at"], row["active_seconds"], row["idle_seconds"]),
    )
    case.due_time.FromDatetime(row["due_at"])
    if (hold := held(row["leased_at"], row["expires_at"], row["submitted_at"])) is not None:
        case.hold_duration.FromTimedelta(hold)
    return case
