"""BatchService.UploadBatch: a stream of messages to chunks, each checked row by row and stored by itself."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from preceptor.tasking.v1 import batch_pb2
from preceptor.work.v1.work_pb2 import Answer, ModelPredictions, Payload

from chassis.contract.answers import check_answer
from chassis.contract.sizes import heaviest, oversized
from chassis.contract.work import task_type_of
from chassis.errors import InvalidArgument
from chassis.ids import parse_name
from chassis.keys import KeyMisspelled, check_key
from chassis.rpc.call import Call
from chassis.rpc.validation import TooLarge, violations_of
from services.tasking.api.batch import to_batch
from services.tasking.context import Context
from services.tasking.domain.upload import HeaderMissing
from services.tasking.usecases.get_batch import get_batch
from services.tasking.usecases.upload_batch import NewTask, Stored, Target, find_or_make_batch, store_chunk

_MOST_ERRORS = 1000
_LONGEST_KEY = 200
# Looking at a chunk takes some forty milliseconds. In between, the chunk before it is sent on its way to the database,
# and the process's other calls are served.
_ROWS_AT_ONCE = 25


@dataclass(frozen=True, slots=True)
class Checked:
    """A chunk after the look at each of its rows."""

    sequence: int
    tasks: list[NewTask]
    errors: list[batch_pb2.RowError]


async def upload_batch(
    call: Call[Context], requests: AsyncIterator[batch_pb2.UploadBatchRequest]
) -> batch_pb2.UploadBatchResponse:
    """Takes a header and chunks. While a chunk is being stored the next one is read and checked, none beyond it."""
    target = await _target(call, requests)
    response = batch_pb2.UploadBatchResponse()
    storing: asyncio.Future[None] = asyncio.ensure_future(asyncio.sleep(0))
    try:
        async for request in requests:
            if not request.HasField("chunk"):
                raise HeaderMissing(field="header")
            checked = await _check(request.chunk, target)
            await storing
            storing = asyncio.ensure_future(_store(call, target, checked, response))
        await storing
    finally:
        # Whatever is wrong with a chunk, the one before it is kept.
        await asyncio.gather(storing, return_exceptions=True)
    row = await call.database.run(call.caller.scope, lambda tx: get_batch(tx, target.batch_id))
    response.batch.CopyFrom(to_batch(row))
    return response


async def _target(call: Call[Context], requests: AsyncIterator[batch_pb2.UploadBatchRequest]) -> Target:
    """Finds or makes the batch that the header names."""
    first = await anext(requests, None)
    if first is None or not first.HasField("header"):
        raise HeaderMissing(field="header")
    project_id = parse_name("projects", first.header.project, "header.project")
    vendor_id, batch_key = call.own_vendor(), first.header.batch_key
    check_key(batch_key, "header.batch_key")
    return await call.database.run(
        call.caller.scope, lambda tx: find_or_make_batch(tx, vendor_id, project_id, batch_key)
    )


async def _check(chunk: batch_pb2.UploadChunk, target: Target) -> Checked:
    """Parts the well-formed tasks of a chunk from the others."""
    checked = Checked(chunk.sequence, [], [])
    for place, task in enumerate(chunk.tasks):
        if place % _ROWS_AT_ONCE == 0:
            await asyncio.sleep(0)
        new = _new_task(place, task)
        error = _too_large(task, new) or _error(task, target.task_type)
        if error is None:
            checked.tasks.append(new)
        else:
            checked.errors.append(_placed(error, chunk.sequence, place, task.item_key))
    return checked


async def _store(call: Call[Context], target: Target, chunk: Checked, response: batch_pb2.UploadBatchResponse) -> None:
    """Stores the well-formed tasks of a chunk and adds what became of each to the response."""
    stored = await call.database.run(
        call.caller.scope, lambda tx: store_chunk(tx, target.batch_id, chunk.sequence, chunk.tasks), by_index=True
    )
    conflicts = [_placed(_CONFLICT, chunk.sequence, task.place, task.item_key) for task in stored.conflicts]
    _add(response, stored, chunk.errors + conflicts)


_CONFLICT = batch_pb2.RowError(
    reason="ITEM_KEY_CONFLICT",
    field="item_key",
    message="A task with this key and other content is in the batch: give the new one a key of its own.",
)


def _too_large(task: batch_pb2.NewTask, new: NewTask) -> batch_pb2.RowError | None:
    """Which part of a task is larger than it may be, if any: beside its contents it is its key and some numbers."""
    contents = len(new.payload) + len(new.gold_key or b"") + len(new.predictions or b"")
    for part in oversized(task, at_most=contents + 4 * len(task.item_key) + 64)[-1:]:
        message = f"The {part.field or 'task'} {part.words}."
        return batch_pb2.RowError(reason=TooLarge.reason, field=part.field or heaviest(task), message=message)
    return None


def _error(task: batch_pb2.NewTask, task_type: int) -> batch_pb2.RowError | None:
    """What is wrong with a task by itself, if anything."""
    if violations := violations_of(task):
        field, message = violations[0]
        return batch_pb2.RowError(reason="INVALID_TASK", field=field, message=message)
    try:
        check_key(task.item_key, "item_key")
        for place, each in enumerate(task.predictions):
            check_key(each.model, f"predictions[{place}].model")
    except KeyMisspelled as error:
        return batch_pb2.RowError(reason=error.reason, field=error.field or "", message=error.message)
    if task_type_of(task.payload) != task_type:
        message = "The payload is not of the project's task type."
        return batch_pb2.RowError(reason="TASK_TYPE_MISMATCH", field="payload", message=message)
    if task.HasField("gold_key") and (misfit := _misfit(task.payload, task.gold_key, "gold_key")):
        return misfit
    return _prediction_error(task) if task.predictions else None


def _prediction_error(task: batch_pb2.NewTask) -> batch_pb2.RowError | None:
    """What is wrong with what models say, if anything."""
    if len({each.model for each in task.predictions}) < len(task.predictions):
        message = "Each model says one thing to a task: give another one a name of its own."
        return batch_pb2.RowError(reason="MODEL_REPEATED", field="predictions", message=message)
    for place, each in enumerate(task.predictions):
        if misfit := _misfit(task.payload, each.answer, f"predictions[{place}].answer"):
            return misfit
    return None


def _misfit(payload: Payload, answer: Answer, name: str) -> batch_pb2.RowError | None:
    """Why the answer in the field of that name is none to the payload, if so."""
    try:
        check_answer(payload, answer)
    except InvalidArgument as error:
        field = (error.field or "").replace("answer", name, 1)
        return batch_pb2.RowError(reason=error.reason, field=field, message=error.message)
    return None


def _placed(error: batch_pb2.RowError, sequence: int, place: int, item_key: str) -> batch_pb2.RowError:
    placed = batch_pb2.RowError(sequence=sequence, position=place, item_key=item_key[:_LONGEST_KEY])
    placed.MergeFrom(error)
    return placed


def _new_task(place: int, task: batch_pb2.NewTask) -> NewTask:
    payload = task.payload.SerializeToString(deterministic=True)
    key = task.gold_key.SerializeToString(deterministic=True) if task.HasField("gold_key") else None
    said = ModelPredictions(predictions=task.predictions).SerializeToString(deterministic=True) or None
    digest = hashlib.sha256(payload + (key or b"") + (said or b"")).digest()
    return NewTask(place, task.item_key, payload, digest, task.priority, key, said)


def _add(response: batch_pb2.UploadBatchResponse, stored: Stored, errors: list[batch_pb2.RowError]) -> None:
    response.accepted += stored.accepted
    response.repeated += stored.repeated
    response.rejected += len(errors)
    response.errors.extend(errors[: _MOST_ERRORS - len(response.errors)])
