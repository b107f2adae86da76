"""Lists that are too long are refused without a look at their items, wherever they are."""

from __future__ import annotations

import protovalidate
import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from preceptor.identity.v1.account_pb2 import RegisterExpertRequest
from preceptor.tasking.v1.batch_pb2 import DecideQuestionsRequest, NewTask
from preceptor.tasking.v1.work_pb2 import SubmitAnswerRequest
from preceptor.work.v1.fact_check_pb2 import FactClaim
from preceptor.work.v1.work_pb2 import QuestionDecision

from chassis.contract.counts import overfull
from chassis.rpc.validation import violations_of
from tests.support import largest

MANY = 200_000
CLAIMS = "payload.fact_check.claims"


def verdicts(number: int) -> Message:
    request = SubmitAnswerRequest()
    for _ in range(number):
        request.answer.fact_check.verdicts.add()
    return request


def claims(number: int) -> Message:
    """Each of the same id: that no two are alike is looked at one by one."""
    task = NewTask(item_key="k")
    task.payload.fact_check.claims.extend(FactClaim(id="c", text="t") for _ in range(number))
    return task


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (verdicts(MANY), "answer.fact_check.verdicts"),
        (claims(MANY), CLAIMS),
        (DecideQuestionsRequest(decisions=[QuestionDecision()] * MANY), "decisions"),
        (RegisterExpertRequest(locales=[""] * MANY), "locales"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_list_of_two_hundred_thousand_is_refused_by_its_length_alone(request_: Message, field: str) -> None:
    """Looked at one by one they would take minutes, in which the process does nothing else."""
    [(found, words)] = violations_of(request_)
    assert (found, words.startswith("must contain no more than")) == (field, True)


@given(st.integers(0, 130))
def test_what_is_said_of_a_list_is_what_its_rule_says(number: int) -> None:
    task = claims(number)
    told = {(CLAIMS, violation.proto.message) for violation in protovalidate.collect_violations(task)}
    if (found := overfull(task)) is not None:
        assert found in told
    assert (found is not None) == (number > largest.CLAIMS and task.ByteSize() > 1024)


@pytest.mark.parametrize("kind", ["fact_check", "rubric_grade", "pairwise_preference"])
def test_the_largest_that_is_allowed_is_not_refused_for_its_lists(kind: str) -> None:
    assert overfull(largest.task(kind, "x", gold=True)) is None
    assert overfull(SubmitAnswerRequest(answer=largest.answer(kind, "x"))) is None
