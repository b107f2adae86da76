"""A task type is complete: contract, rules, aggregator, examples and golden bytes, as CONTRIBUTING.md lists them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

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

from chassis.contract.answers import RULES
from chassis.contract.work import TaskTypeParts, answer_fits, task_type_of, task_types
from services.scoring.aggregation.types import AGGREGATORS
from tests.contract import golden_events
from tests.contract.source_tree import ROOT

TYPES = list(task_types().values())
each_type = pytest.mark.parametrize("parts", TYPES, ids=lambda parts: parts.name)


@dataclass(frozen=True)
class Step:
    """A file that each type needs, with the type's name in the place of `<type>`, and the table that must know it."""

    file: str
    table: Callable[[], Collection[int]] | None = None


STEPS = (
    Step("proto/preceptor/work/v1/<type>.proto"),
    Step("chassis/contract/answers/<type>.py", lambda: RULES),
    Step("services/scoring/aggregation/types/<type>.py", lambda: AGGREGATORS),
    Step("examples/<type>.jsonl"),
)


def lacks(parts: TaskTypeParts, step: Step) -> list[str]:
    """What a type lacks of a step, as an instruction."""
    file = step.file.replace("<type>", parts.name)
    missing = [] if (ROOT / file).is_file() else [f"create {file}"]
    if step.table is not None and parts.number not in step.table():
        missing.append(f"add {parts.name} to the table in {file.rpartition('/')[0]}/__init__.py")
    return missing


@each_type
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.file.split("/")[0])
def test_each_task_type_has_every_step(parts: TaskTypeParts, step: Step) -> None:
    assert lacks(parts, step) == []


@each_type
def test_the_golden_bytes_know_each_task_type(parts: TaskTypeParts) -> None:
    bodies = [str(golden.body) for golden in golden_events.read()]
    for field in ("answer", "result"):
        held = [body for body in bodies if f"'{field}': {{'{parts.name}'" in body]
        assert held, f"{field}.{parts.name} is in no golden bytes: run `python -m tests.contract.golden_events`"


def test_a_type_that_is_not_finished_is_told_what_to_create() -> None:
    new = TaskTypeParts(TaskType.ValueType(99), "new_type", Payload, Answer, Result)
    assert [told for step in STEPS for told in lacks(new, step)] == [
        "create proto/preceptor/work/v1/new_type.proto",
        "create chassis/contract/answers/new_type.py",
        "add new_type to the table in chassis/contract/answers/__init__.py",
        "create services/scoring/aggregation/types/new_type.py",
        "add new_type to the table in services/scoring/aggregation/types/__init__.py",
        "create examples/new_type.jsonl",
    ]


def test_contributing_names_the_files_of_every_step() -> None:
    told = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("add a task type")[2].partition("\n## ")[0]
    steps = [line for line in told.splitlines() if line[:2] in {f"{number}." for number in range(1, 10)}]
    assert len(steps) == 5
    for name in (*(step.file for step in STEPS), "tests.contract.golden_events"):
        assert name in told


def test_each_task_type_has_payload_answer_and_result() -> None:
    assert {parts.number for parts in task_types().values()} == set(TaskType.values()) - {TASK_TYPE_UNSPECIFIED}


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
