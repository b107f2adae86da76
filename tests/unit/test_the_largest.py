"""The largest of each that comes in keeps all rules, and fits into every event, reply and JSON that carries it."""

from __future__ import annotations

import json

from google.protobuf.json_format import MessageToJson
from hypothesis import given, settings
from hypothesis import strategies as st
from preceptor.tasking.v1.batch_pb2 import NewTask, UploadBatchRequest, UploadChunk
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted
from preceptor.tasking.v1.work_pb2 import ClaimTaskResponse, Lease, SubmitAnswerRequest

from chassis.bus.outbox import MAX_PAYLOAD
from chassis.contract.answers import check_answer, questions_of
from chassis.contract.largest import LARGEST_MESSAGE
from chassis.contract.sizes import oversized
from chassis.contract.work import task_types
from chassis.ops.messages import content
from chassis.rpc.validation import violations_of
from tests.support import largest

KINDS = st.sampled_from(sorted(task_types()))
few = settings(max_examples=12, deadline=None)
CHARACTERS = st.sampled_from(largest.CHARACTERS)
INSTRUCTIONS = 262_144
JSON_REPLY = 8 * 1024 * 1024
"""What the edge holds of a reply that it turns into JSON."""


def as_json(message: object) -> int:
    """The size as JSON where everything is escaped that any writer escapes, and every field is there."""
    text = MessageToJson(message, indent=None, always_print_fields_with_no_presence=True)  # type: ignore[arg-type]
    return len(text.replace("<", "\\u003c").encode())


@few
@given(KINDS, CHARACTERS, st.booleans())
def test_the_largest_task_is_taken_and_its_largest_answer_fits_it(kind: str, character: str, gold: bool) -> None:
    task, answer = largest.task(kind, character, gold=gold), largest.answer(kind, character)
    assert not violations_of(task)
    assert not oversized(task, task.ByteSize())
    assert task.ByteSize() > 0.4 * largest.TASK
    check_answer(task.payload, answer)
    submission = SubmitAnswerRequest(answer=answer)
    assert not oversized(submission, submission.ByteSize())


@few
@given(KINDS, CHARACTERS, st.booleans())
def test_its_answer_travels_with_predictions_or_key_in_one_event(kind: str, character: str, gold: bool) -> None:
    task = largest.task(kind, character, gold=gold)
    event = AnswerSubmitted(answer=largest.answer(kind, character), questions=questions_of(task.payload))
    event.predictions.extend(task.predictions)
    event.gold_key.CopyFrom(task.gold_key)
    assert event.ByteSize() < MAX_PAYLOAD - 10_000, "ids and terms are in it too"


@few
@given(KINDS, CHARACTERS)
def test_as_a_dead_letter_it_is_shown_and_what_is_long_by_its_beginning(kind: str, character: str) -> None:
    event = AnswerSubmitted(answer=largest.answer(kind, character), predictions=largest.predictions(kind, character))
    shown = content(event.DESCRIPTOR.full_name, event.SerializeToString())
    assert len(shown.encode()) < LARGEST_MESSAGE / 2
    assert len(json.loads(shown)["predictions"]) == len(event.predictions)


@few
@given(KINDS, CHARACTERS)
def test_it_is_claimed_with_instructions_and_draft_in_one_reply(kind: str, character: str) -> None:
    lease = Lease(payload=largest.payload(kind, character), draft=largest.answer(kind, character))
    lease.instructions = (character * 100_000)[: INSTRUCTIONS // len(character.encode())]
    assert ClaimTaskResponse(lease=lease).ByteSize() < LARGEST_MESSAGE / 3
    assert as_json(ClaimTaskResponse(lease=lease)) < JSON_REPLY - 10_000


@few
@given(KINDS, CHARACTERS, st.booleans())
def test_as_json_it_still_comes_in(kind: str, character: str, gold: bool) -> None:
    task = largest.task(kind, character, gold=gold)
    chunk = UploadBatchRequest(chunk=UploadChunk(sequence=1, tasks=[task]))
    assert as_json(chunk) < LARGEST_MESSAGE + 600_000
    assert as_json(SubmitAnswerRequest(answer=largest.answer(kind, character))) < LARGEST_MESSAGE / 2


def test_the_limits_are_those_of_the_contract() -> None:
    assert (largest.PAYLOAD, largest.ANSWER, largest.PREDICTIONS, largest.TASK) == (524_288, 262_144, 262_144, 655_360)
    assert largest.task("fact_check", "x").ByteSize() > largest.TASK - 10_000
    assert NewTask(gold_key=largest.answer("fact_check", "x")).gold_key.ByteSize() > largest.ANSWER - 5_000
