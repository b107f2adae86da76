"""What is too large is refused before it is read, with its field, its size and the limit."""

from __future__ import annotations

import pytest
from google.protobuf.message import Message
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st
from preceptor.identity.v1.session_pb2 import SignInRequest
from preceptor.payouts.v1.funding_pb2 import DepositFundsRequest
from preceptor.tasking.v1.batch_pb2 import DecideQuestionsRequest, NewTask, UploadBatchRequest, UploadChunk
from preceptor.tasking.v1.work_pb2 import SaveDraftRequest, SubmitAnswerRequest
from preceptor.work.v1.fact_check_pb2 import ClaimVerdict, FactCheckAnswer
from preceptor.work.v1.pairwise_preference_pb2 import PairwisePreferencePayload
from preceptor.work.v1.work_pb2 import Answer, ModelPrediction, Payload, QuestionDecision

from chassis.contract.sizes import heaviest, oversized
from chassis.errors import InvalidArgument
from chassis.rpc.validation import InvalidRequest, RequestTooLarge, TooLarge, read_request, request_limit

ANSWER, PAYLOAD, TASK, PREDICTIONS = 262_144, 524_288, 655_360, 262_144


def verbose(size: int) -> Answer:
    """An answer of exactly so many bytes."""
    verdicts = [ClaimVerdict(claim_id=f"c{n}", comment="x" * 9_000) for n in range(size // 9_050)]
    answer = Answer(fact_check=FactCheckAnswer(verdicts=verdicts))
    answer.fact_check.verdicts.add(claim_id="last", comment="x")
    while (rest := size - answer.ByteSize()) > 0:
        answer.fact_check.verdicts[-1].comment += "x" * max(1, rest - 8)
    return answer


def refusal(request: Message) -> InvalidArgument:
    with pytest.raises((TooLarge, RequestTooLarge)) as refused:
        read_request(type(request), request.SerializeToString())
    return refused.value


@pytest.mark.parametrize("request_class", [SaveDraftRequest, SubmitAnswerRequest])
def test_an_answer_that_could_not_be_handed_in_cannot_be_saved_either(request_class: type[Message]) -> None:
    name = "draft" if request_class is SaveDraftRequest else "answer"
    assert verbose(ANSWER).ByteSize() == ANSWER
    fits = request_class(**{name: verbose(ANSWER)})
    assert not oversized(fits, fits.ByteSize())
    error = refusal(request_class(**{name: verbose(ANSWER + 1)}))
    assert error.reason == "TOO_LARGE"
    assert error.violations == ((name, "must have at most 262,144 bytes, not 262,145"),)
    assert error.metadata == {"size": "262145", "limit": "262144"}


def test_a_currency_code_of_any_length_is_refused_without_its_text() -> None:
    request = DepositFundsRequest(amount=Money(currency_code="X" * 100_000))
    error = refusal(request)
    assert (error.reason, error.violations[0][0]) == ("TOO_LARGE", "amount")
    assert "XXXX" not in f"{error.violations}{error.metadata}{error.message}"


def test_a_request_larger_than_any_of_its_kind_is_refused_by_the_field_that_makes_it_so() -> None:
    error = refusal(SignInRequest(email="a@b.example", password="x" * 1_000_000))
    assert (error.reason, error.field) == ("REQUEST_TOO_LARGE", "password")
    assert error.metadata == {"size": "1000017", "limit": str(request_limit(SignInRequest))}


def test_what_a_newer_client_sends_besides_is_no_fault_while_it_is_small() -> None:
    known = SignInRequest(email="a@b.example", password="right").SerializeToString()
    unknown = SubmitAnswerRequest(request_id="y" * 2000).SerializeToString()
    assert read_request(SignInRequest, known + unknown).password == "right"
    with pytest.raises(RequestTooLarge):
        read_request(SignInRequest, known + unknown * 20)


def test_what_a_vendor_decides_is_kept_and_so_bounded_with_all_that_it_may_hold() -> None:
    unknown = SubmitAnswerRequest(request_id="y" * 4000).SerializeToString()
    fat = QuestionDecision.FromString(
        QuestionDecision(question="q", label="l", reason="r" * 900).SerializeToString() + unknown
    )
    error = refusal(DecideQuestionsRequest(task="t", decisions=[QuestionDecision(question="p"), fat]))
    assert error.violations[0][0] == "decisions[1]"


def test_tasks_of_a_chunk_are_too_large_each_by_itself() -> None:
    huge = Payload(pairwise_preference=PairwisePreferencePayload(response_a="x" * PAYLOAD))
    chunk = UploadBatchRequest(chunk=UploadChunk(sequence=1, tasks=[NewTask(item_key="a", payload=huge)]))
    assert not oversized(chunk, chunk.ByteSize())
    with pytest.raises(InvalidRequest):
        read_request(UploadBatchRequest, UploadBatchRequest().SerializeToString())


def test_a_task_is_bounded_in_each_part_and_as_a_whole() -> None:
    said = [ModelPrediction(model=f"m-{n}", answer=verbose(100_000)) for n in range(3)]
    payload = Payload(pairwise_preference=PairwisePreferencePayload(response_a="x" * (PAYLOAD - 100)))
    task = NewTask(item_key="a", payload=payload, gold_key=verbose(ANSWER + 1), predictions=said)
    found = {part.field: part.limit for part in oversized(task, task.ByteSize())}
    assert found == {"": TASK, "gold_key": ANSWER, "predictions": PREDICTIONS}


@given(st.integers(0, 3 * ANSWER))
def test_an_answer_is_too_large_exactly_beyond_its_limit(size: int) -> None:
    answer = verbose(max(size, 40))
    request = SubmitAnswerRequest(answer=answer)
    found = oversized(request, request.ByteSize())
    assert [part.field for part in found] == (["answer"] if answer.ByteSize() > ANSWER else [])


def test_the_heaviest_field_is_found_however_deep_it_lies() -> None:
    request = SubmitAnswerRequest(slot="s" * 50, answer=verbose(5_000))
    assert heaviest(request) == "answer.fact_check.verdicts"
    assert heaviest(SubmitAnswerRequest()) == ""
