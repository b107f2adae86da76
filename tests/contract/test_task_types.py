"""A task type is complete: payload, answer and result agree, and scoring can aggregate it."""

from importlib import import_module

import pytest
from preceptor.work.v1 import pairwise_preference_pb2 as pairwise
from preceptor.work.v1.work_pb2 import (
    TASK_TYPE_PAIRWISE_PREFERENCE,
    TASK_TYPE_UNSPECIFIED,
    Answer,
    Payload,
    Result,
    TaskType,
)

from chassis.contract.work import TaskTypeParts, answer_fits, task_type_of, task_types
from tests.contract.source_tree import ROOT

AGGREGATION = "services/scoring/aggregation"


def test_each_task_type_has_payload_answer_and_result() -> None:
    assert {parts.number for parts in task_types().values()} == set(TaskType.values()) - {TASK_TYPE_UNSPECIFIED}


@pytest.mark.parametrize("parts", task_types().values(), ids=lambda parts: parts.name)
def test_each_task_type_has_an_aggregator(parts: TaskTypeParts) -> None:
    if (ROOT / AGGREGATION).is_dir():
        assert parts.number in import_module(AGGREGATION.replace("/", ".")).AGGREGATORS


def test_the_type_of_an_envelope_is_that_of_its_content() -> None:
    assert task_type_of(Payload(pairwise_preference=pairwise.PairwisePreferencePayload())) == 1
    assert task_type_of(Answer(pairwise_preference=pairwise.PairwisePreferenceAnswer())) == 1
    assert task_type_of(Result(pairwise_preference=pairwise.PairwisePreferenceResult())) == 1
    assert TASK_TYPE_PAIRWISE_PREFERENCE == 1


def test_an_empty_envelope_has_no_type() -> None:
    assert task_type_of(Payload()) == TASK_TYPE_UNSPECIFIED


def test_an_answer_fits_a_payload_of_its_type() -> None:
    payload = Payload(pairwise_preference=pairwise.PairwisePreferencePayload())
    assert answer_fits(payload, Answer(pairwise_preference=pairwise.PairwisePreferenceAnswer()))


def test_an_empty_answer_fits_nothing() -> None:
    assert not answer_fits(Payload(pairwise_preference=pairwise.PairwisePreferencePayload()), Answer())
    assert not answer_fits(Payload(), Answer())
