"""What the quality reviewer does: decides the cases that failed gold items open, and looks at flagged raters."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from uuid import uuid4

from preceptor.scoring.v1 import events_pb2, rater_pb2, rater_pb2_grpc
from preceptor.tasking.v1 import review_pb2, review_pb2_grpc

from clients.session import Session
from deploy.local.main_job.outcome import Flag

_HALF = 5_000
_REASON = (
    "The answer to a task whose right answer is known is wrong in most of its questions, as the evidence lists. "
    "Half of the price is paid for the time; please read the instructions again. You may appeal this decision."
)


async def review_until(reviewer: Session, done: asyncio.Event) -> int:
    """Decides open cases until `done` is set; returns how many."""
    stub, decided = review_pb2_grpc.ReviewServiceStub(reviewer.channel("tasking")), 0
    while not done.is_set():
        page = await stub.ListCases(review_pb2.ListCasesRequest(page_size=50), metadata=await reviewer.auth())
        for case in page.cases:
            ruling = review_pb2.DecideCaseRequest(
                name=case.name, payable_basis_points=_HALF, ground=case.ground, reason=_REASON, request_id=str(uuid4())
            )
            await stub.DecideCase(ruling, metadata=await reviewer.auth())
            decided += 1
        await asyncio.sleep(0.2)
    return decided


async def flags_of(reviewer: Session, experts: Collection[str]) -> list[Flag]:
    """The open flags of these experts, by id, the oldest first: each waits for a person, and pays nobody less."""
    stub, request = rater_pb2_grpc.RaterServiceStub(reviewer.channel("scoring")), rater_pb2.ListFlagsRequest()
    found: list[Flag] = []
    while True:
        page = await stub.ListFlags(request, metadata=await reviewer.auth())
        found += [_flag(flag) for flag in page.flags]
        request.page_token = page.next_page_token
        if not request.page_token:
            return [flag for flag in found if flag.expert in experts]


def _flag(flag: rater_pb2.Flag) -> Flag:
    kind = events_pb2.FlagKind.Name(flag.kind).removeprefix("FLAG_KIND_")
    return Flag(flag.expert.removeprefix("experts/"), kind, flag.evidence)
