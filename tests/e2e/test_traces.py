"""The main job as its spans tell it: each answer is one trace, from the call that submits it to the bank line."""

from __future__ import annotations

from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.support.bus import eventually
from tests.support.collector import Kept
from tests.support.main_job import DoneJob

SUBMIT = "preceptor.tasking.v1.WorkService/SubmitAnswer"
SETTLED = ("payouts", "settle earning")
WAY = {
    ("tasking", SUBMIT),
    ("tasking", "send tasking.task.v1"),
    ("scoring", "process tasking.task.v1"),
    ("payouts", "process tasking.task.v1"),
    SETTLED,
}
"""What is in the trace of an answer that was paid, beside how it was judged."""
TOLD = {
    *("rpc.system.name", "rpc.method", "rpc.response.status_code", "error.type"),
    *("messaging.system", "messaging.operation.name", "messaging.destination.name", "messaging.message.id"),
    *("messaging.consumer.group.name", "messaging.batch.message_count"),
    *("http.request.method", "http.response.status_code"),
}
"""All attributes that a span may have: none is personal, or what a caller sent."""


def names(spans: list[Kept]) -> set[tuple[str, str]]:
    return {(kept.service, kept.span.name) for kept in spans}


def paid(done_job: DoneJob) -> list[list[Kept]]:
    """The traces that end in a bank line."""
    return [spans for spans in done_job.collector.traces().values() if SETTLED in names(spans)]


async def test_each_paid_answer_is_one_trace_from_its_call_to_its_bank_line(done_job: DoneJob) -> None:
    answers = sum(len(expert.given) for expert in done_job.outcome.experts)

    async def whole() -> bool:
        found = [told for spans in paid(done_job) if ("tasking", SUBMIT) in (told := names(spans))]
        return len(found) > answers / 4 and all(told >= WAY for told in found)

    await eventually(whole)


async def test_a_span_of_a_paid_trace_is_a_call_or_below_another_or_linked_with_one(done_job: DoneJob) -> None:
    async def sound() -> bool:
        found = paid(done_job)
        return bool(found) and all(_hang_together([kept.span for kept in spans]) for spans in found)

    await eventually(sound)


def _hang_together(spans: list[Span]) -> bool:
    known = {span.span_id for span in spans}
    tops = [span for span in spans if span.parent_span_id not in known]
    return all(not span.parent_span_id and (span.kind == Span.SPAN_KIND_SERVER or span.links) for span in tops)


async def test_attributes_are_of_a_closed_list(done_job: DoneJob) -> None:
    assert {each.key for kept in done_job.collector.kept for each in kept.span.attributes} <= TOLD
    assert {kept.service for kept in done_job.collector.kept} == {"identity", "tasking", "scoring", "payouts"}
