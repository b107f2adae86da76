"""RaterService: contract to domain and back."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from preceptor.scoring.v1 import rater_pb2
from preceptor.scoring.v1.events_pb2 import FlagKind, FlagState

from chassis.db import Row
from chassis.ids import name, parse_name
from chassis.rpc.call import Call
from chassis.rpc.paging import page_size
from services.scoring.context import Context
from services.scoring.usecases import flags

_BEGINNING = (datetime.min.replace(tzinfo=UTC), UUID(int=0))


async def list_flags(call: Call[Context], request: rater_pb2.ListFlagsRequest) -> rater_pb2.ListFlagsResponse:
    """Gives a page of open flags."""
    limit = page_size(request.page_size, default=50, greatest=500)
    after = call.context.pager.position(request)
    start = (datetime.fromisoformat(str(after[0])), UUID(str(after[1]))) if after else _BEGINNING
    rows = await flags.list_flags(call.tx, start, limit + 1)
    page, token = rows[:limit], ""
    if page and page[0]["found"] > len(page):
        token = call.context.pager.token(request, page[-1]["flagged_at"].isoformat(), str(page[-1]["flag_id"]))
    return rater_pb2.ListFlagsResponse(flags=[_flag(row) for row in page], next_page_token=token)


async def decide_flag(call: Call[Context], request: rater_pb2.DecideFlagRequest) -> rater_pb2.DecideFlagResponse:
    """Decides about a flag in the name of the caller. Raises `FlagNotFound`, `FlagDecided` or `OwnFlag`."""
    ruling = flags.Ruling(
        flag_id=parse_name("flags", request.name, "name"),
        state=request.state,
        reason=request.reason,
        reviewer=call.caller.subject,
        reviewer_person=call.caller.person_id,
    )
    return rater_pb2.DecideFlagResponse(flag=_flag(await flags.decide_flag(call.tx, ruling)))


def name_alone(response: rater_pb2.DecideFlagResponse) -> rater_pb2.DecideFlagResponse:
    """What is kept of a decision about a flag."""
    return rater_pb2.DecideFlagResponse(flag=rater_pb2.Flag(name=response.flag.name))


async def decide_again(call: Call[Context], kept: rater_pb2.DecideFlagResponse) -> rater_pb2.DecideFlagResponse:
    """Gives the flag that was decided about."""
    row = await flags.get_flag(call.tx, parse_name("flags", kept.flag.name, "name"))
    return rater_pb2.DecideFlagResponse(flag=_flag(row))


def _flag(row: Row) -> rater_pb2.Flag:
    flag = rater_pb2.Flag(
        name=name("flags", row["flag_id"]),
        expert=name("experts", row["expert_id"]),
        kind=FlagKind.ValueType(row["kind"]),
        state=FlagState.ValueType(row["state"]),
        others=[name("experts", other) for other in row["others"]],
        evidence=row["evidence"],
    )
    flag.flag_time.FromDatetime(row["flagged_at"])
    return flag
