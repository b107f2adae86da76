"""What a vendor's models say to a task: taken with the upload, told with the first answer, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from uuid import UUID

import pytest
from preceptor.tasking.v1.batch_pb2 import (
    NewTask,
    UploadBatchRequest,
    UploadBatchResponse,
    UploadChunk,
    UploadHeader,
)
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.work.v1.work_pb2 import ANSWER_KIND_GOLD, Answer, ModelPrediction, ModelPredictions

from services.tasking.api.upload import upload_batch
from services.tasking.domain.lease import WrongFencingToken
from tests.support.tasking import World, answer, payload, vendor_caller


def task(key: str, *said: ModelPrediction, gold: Answer | None = None) -> NewTask:
    return NewTask(item_key=key, payload=payload(), gold_key=gold, predictions=said)


def says(model: str, preference: int = 2) -> ModelPrediction:
    return ModelPrediction(model=model, answer=answer(preference))


async def upload(world: World, project: UUID, tasks: Sequence[NewTask], sequence: int = 1) -> UploadBatchResponse:
    async def requests() -> AsyncIterator[UploadBatchRequest]:
        yield UploadBatchRequest(header=UploadHeader(project=f"projects/{project}", batch_key="b"))
        yield UploadBatchRequest(chunk=UploadChunk(sequence=sequence, tasks=tasks))

    return await upload_batch(world.call(vendor_caller(world.vendor_id)), requests())


async def test_the_first_answer_alone_is_told_with_what_models_say(world: World) -> None:
    project, said = await world.project(), [says("m-1", 2), says("m-2", -1)]
    told = await upload(world, project, [task("t", *said)])
    assert not told.errors
    await world.open(UUID(told.batch.name.removeprefix("batches/")))
    for expert in await world.experts(2):
        await world.submit(await world.lease(expert))
    assert [list(event.predictions) for event in await world.events(AnswerSubmitted)] == [said, []]


async def test_of_answers_at_the_same_time_the_one_that_goes_first_tells(world: World) -> None:
    told = await upload(world, await world.project(5, 5), [task("t", says("m-1"))])
    await world.open(UUID(told.batch.name.removeprefix("batches/")))
    leases = [await world.lease(expert) for expert in await world.experts(4)]
    await asyncio.gather(*(world.submit(lease) for lease in leases))
    assert [len(event.predictions) for event in await world.events(AnswerSubmitted)] == [1, 0, 0, 0]


async def test_an_answer_that_is_not_taken_tells_nothing(world: World) -> None:
    told = await upload(world, await world.project(), [task("t", says("m-1"))])
    await world.open(UUID(told.batch.name.removeprefix("batches/")))
    lease = await world.lease()
    with pytest.raises(WrongFencingToken):
        await world.submit(lease, fencing_token=lease["fencing_token"] + 1)
    await world.submit(lease)
    [event] = await world.events(AnswerSubmitted)
    assert list(event.predictions) == [says("m-1")]


async def test_what_models_said_before_there_was_a_limit_keeps_nobody_from_handing_in(world: World) -> None:
    told = await upload(world, await world.project(), [task("t", says("m-1"))])
    await world.open(UUID(told.batch.name.removeprefix("batches/")))
    said = ModelPrediction(model="m", answer=answer(2, "x" * 950_000))
    await world.rows("UPDATE task SET predictions = $1", ModelPredictions(predictions=[said]).SerializeToString())
    await world.submit(await world.lease())
    [event] = await world.events(AnswerSubmitted)
    assert not event.predictions


async def test_a_task_without_a_model_is_as_it_was(world: World) -> None:
    await world.opened(1)
    await world.submit(await world.lease())
    [event] = await world.events(AnswerSubmitted)
    assert not event.predictions
    assert (await world.row("SELECT predictions FROM task"))["predictions"] is None


async def test_a_gold_task_is_told_without_what_models_say(world: World) -> None:
    settings = world.context.settings.model_copy(update={"gold_share_new": 1.0, "gold_share": 1.0})
    world = replace(world, context=replace(world.context, settings=settings))
    project = await world.project(1, 5)
    told = await upload(world, project, [task("g", says("m-1"), gold=answer(2))])
    assert (len(told.errors), told.batch.gold_items) == (0, 1)
    await upload(world, project, [task("t", says("m-1"))], sequence=2)
    await world.open(UUID(told.batch.name.removeprefix("batches/")))
    await world.submit(await world.lease())
    [event] = await world.events(AnswerSubmitted)
    assert (event.kind, len(event.predictions)) == (ANSWER_KIND_GOLD, 0)


async def test_what_no_expert_could_answer_a_model_cannot_either(world: World) -> None:
    twice, misfit = task("twice", says("m"), says("m", -1)), task("misfit", says("m-1"), says("m-2", 3))
    misfit.payload.CopyFrom(payload(least=20))
    for place, words in enumerate(("Long enough to be read.", "Short.")):
        misfit.predictions[place].answer.CopyFrom(answer(2, words))
    unnamed, silent = task("unnamed", says("")), task("silent", ModelPrediction(model="m"))
    told = await upload(world, await world.project(), [twice, misfit, unnamed, silent, task("right", says("m"))])
    assert [(error.item_key, error.reason, error.field) for error in told.errors] == [
        ("twice", "MODEL_REPEATED", "predictions"),
        ("misfit", "JUSTIFICATION_TOO_SHORT", "predictions[1].answer.pairwise_preference.justification"),
        ("unnamed", "INVALID_TASK", "predictions[0].model"),
        ("silent", "INVALID_TASK", "predictions[0].answer"),
    ]
    assert told.accepted == 1


async def test_another_prediction_under_the_same_key_is_another_content(world: World) -> None:
    project = await world.project()
    await upload(world, project, [task("t", says("m")), task("u")])
    again = await upload(world, project, [task("t", says("m")), task("u", says("m"))], sequence=2)
    assert again.repeated == 1
    assert [(error.item_key, error.reason) for error in again.errors] == [("u", "ITEM_KEY_CONFLICT")]
