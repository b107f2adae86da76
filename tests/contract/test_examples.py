"""Every example is a task that the contracts take, and what it calls true is an answer that its payload takes."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest
from preceptor.work.v1.work_pb2 import Domain

from chassis.contract.answers import check_answer, questions_of
from chassis.contract.work import TaskTypeParts, task_type_of, task_types
from chassis.rpc.validation import violations_of
from deploy.local.examples import Example, answer_of, read_examples
from services.scoring.aggregation.types import aggregator_for
from tests.contract.source_tree import ROOT
from tests.support.findings import findings

TYPES = list(task_types().values())
LEAST_TASKS = 80
LEAST_WHY = 20


@cache
def examples(task_type: str) -> list[Example]:
    return read_examples(ROOT / "examples" / f"{task_type}.jsonl")


def every_example() -> list[Example]:
    return [example for parts in TYPES for example in examples(parts.name)]


each_example = pytest.mark.parametrize("example", every_example(), ids=lambda example: example.item_key)


@each_example
def test_an_example_is_a_task_that_the_contracts_take(example: Example) -> None:
    assert violations_of(example.payload) == []


@each_example
def test_what_an_example_calls_true_answers_each_of_its_questions(example: Example) -> None:
    assert list(example.truth) == [question.id for question in questions_of(example.payload).questions]
    answer = answer_of(example.payload, example.truth, example.why)
    assert violations_of(answer) == []
    check_answer(example.payload, answer)


@each_example
def test_experts_who_see_what_is_true_make_it_the_result(example: Example) -> None:
    aggregator = aggregator_for(task_type_of(example.payload))
    questions = questions_of(example.payload).questions
    found = findings(aggregator, questions, [answer_of(example.payload, example.truth, example.why)] * 2)
    told = [aggregator.labels(q)[f.consensus.label] for q, f in zip(questions, found, strict=True) if f.consensus]
    assert told == [str(label) for label in example.truth.values()]
    assert violations_of(aggregator.result(questions, found)) == []


@each_example
def test_an_example_says_why(example: Example) -> None:
    assert len(example.why) >= LEAST_WHY


@pytest.mark.parametrize("parts", TYPES, ids=lambda parts: parts.name)
def test_a_file_of_examples_holds_its_type_in_all_domains_and_some_gold(parts: TaskTypeParts) -> None:
    held = examples(parts.name)
    assert {task_type_of(example.payload) for example in held} == {parts.number}
    assert {example.domain for example in held} == set(Domain.values()) - {0}
    assert any(example.gold for example in held)


def test_there_are_enough_examples_and_each_has_a_key_of_its_own() -> None:
    keys = Counter(example.item_key for example in every_example())
    assert len(keys) >= LEAST_TASKS
    assert [key for key, times in keys.items() if times > 1] == []


def test_about_one_example_in_ten_is_gold() -> None:
    share = sum(example.gold for example in every_example()) / len(every_example())
    assert 0.08 <= share <= 0.2


@pytest.mark.parametrize("parts", TYPES, ids=lambda parts: parts.name)
def test_no_label_can_be_guessed_by_always_saying_the_same(parts: TaskTypeParts) -> None:
    labels = Counter(str(label) for example in examples(parts.name) for label in example.truth.values())
    assert max(labels.values()) / labels.total() < 0.7
