"""The limit of claim and submit: a bare grpc.aio handler that runs the same statements, and commits as durably.

It authenticates nobody, checks nothing, knows no errors, and writes the same event each time. The expert is named in
the metadata.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import grpc
import uuid_utils.compat as ids
import uvloop
from google.protobuf.message import Message
from preceptor.tasking.v1 import events_pb2, work_pb2
from preceptor.work.v1 import work_pb2 as work

from chassis import db
from chassis.bus import outbox
from chassis.bus.envelope import HeaderWriter
from chassis.rpc import idempotency
from services.tasking.api.work import slot_alone
from services.tasking.domain.locale import patterns
from services.tasking.domain.seniority import USUAL
from services.tasking.usecases import claim_task, slots, submit_answer

EXPERT = "x-expert"
_DAY, _REVIEW = timedelta(days=1), timedelta(hours=72)
_EVENT = events_pb2.AnswerSubmitted.DESCRIPTOR.full_name
_BEGIN = db._begin(db.Scope.service(), timedelta(seconds=20))

Connection = Any
Context = grpc.aio.ServicerContext[Message, Message]


class Handlers:
    """The two methods on one pool."""

    def __init__(self, pool: Connection) -> None:
        self._pool = pool
        key = str(ids.uuid7())
        self._headers = HeaderWriter(_EVENT, "tasking").write(ids.uuid7(), key, None)

    async def claim(self, request: work_pb2.ClaimTaskRequest, context: Context) -> work_pb2.ClaimTaskResponse:
        """ClaimTask."""
        expert = _expert(context)
        key = (expert, "/preceptor.tasking.v1.WorkService/ClaimTask", UUID(request.request_id))
        async with self._pool.acquire() as conn:
            await conn.execute(_BEGIN)
            await conn.execute(idempotency._TAKE, *key, _hash(request))
            row = await conn.fetchrow(claim_task._EXPERT, expert, USUAL)
            await conn.fetchrow(claim_task._HELD, expert)
            wanted = (expert, row["claims"], patterns(row["locales"]), None, ids.uuid7(), _DAY, row["apart"])
            response = work_pb2.ClaimTaskResponse(lease=_lease(await conn.fetchrow(claim_task._CLAIM, *wanted)))
            await conn.execute(idempotency._REMEMBER, *key, slot_alone(response).SerializeToString())
            await conn.execute("COMMIT")
        return response

    async def submit(self, request: work_pb2.SubmitAnswerRequest, context: Context) -> work_pb2.SubmitAnswerResponse:
        """SubmitAnswer."""
        expert, slot_id, answer_id = _expert(context), UUID(request.slot[6:]), ids.uuid7()
        key = (expert, "/preceptor.tasking.v1.WorkService/SubmitAnswer", UUID(request.request_id))
        async with self._pool.acquire() as conn:
            await conn.execute(_BEGIN)
            await conn.execute(idempotency._TAKE, *key, _hash(request))
            slot = await conn.fetchrow(slots._LOCK_WITH_TASK, slot_id, expert)
            of_slot = (slot["task_id"], slot["batch_id"], slot["vendor_id"], expert)
            content = request.answer.SerializeToString()
            written = (slot_id, 2, answer_id, *of_slot, content, 80, 5, False, slot["now"], _REVIEW)
            await conn.execute(submit_answer._WRITE, *written)
            response = work_pb2.SubmitAnswerResponse(answer=f"answers/{answer_id}")
            await conn.execute(idempotency._REMEMBER, *key, response.SerializeToString())
            event = (1, "t", str(slot_id), answer_id, _EVENT, content * 3, self._headers)
            await conn.execute(outbox._INSERT, [event])
            await conn.execute("COMMIT")
        return response


def _expert(context: Context) -> UUID:
    return UUID(dict(context.invocation_metadata() or ())[EXPERT])  # type: ignore[arg-type]


def _hash(request: Message) -> bytes:
    return hashlib.sha256(request.SerializeToString()).digest()


def _lease(row: asyncpg.Record) -> work_pb2.Lease:
    return work_pb2.Lease(
        slot=f"slots/{row['slot_id']}",
        fencing_token=row["fencing_token"],
        payload=work.Payload.FromString(row["payload"]),
        instructions=row["instructions"],
    )


async def _nothing(_: object) -> None:
    """Saves the pool's own reset, as the chassis does."""


async def _serve() -> None:
    pool = await asyncpg.create_pool(os.environ["BARE_DATABASE_URL"], min_size=8, max_size=8, reset=_nothing)
    handlers = Handlers(pool)
    claim, submit = work_pb2.ClaimTaskRequest, work_pb2.SubmitAnswerRequest
    unary = grpc.unary_unary_rpc_method_handler
    methods: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "ClaimTask": unary(handlers.claim, claim.FromString, work_pb2.ClaimTaskResponse.SerializeToString),
        "SubmitAnswer": unary(handlers.submit, submit.FromString, work_pb2.SubmitAnswerResponse.SerializeToString),
    }
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("preceptor.tasking.v1.WorkService", methods),)
    )
    server.add_insecure_port(os.environ["BARE_LISTEN"])
    await server.start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve())
