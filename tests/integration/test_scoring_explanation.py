"""ExplainConsensus: the arithmetic that is told is that of what is held, and names answers and nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import numpy as np
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToJson
from preceptor.scoring.v1.consensus_pb2 import (
    ExplainConsensusRequest,
    ExplainConsensusResponse,
    QuestionExplanation,
)
from preceptor.scoring.v1.events_pb2 import STOP_REASON_UNSPECIFIED, VERDICT_RESOLVED
from preceptor.tasking.v1.events_pb2 import AnswerSubmitted

from chassis.contract.answers import questions_of
from chassis.contract.largest import LARGEST_MESSAGE
from chassis.contract.work import task_type_of
from chassis.db import Database
from chassis.ids import id_of, name, new_id
from chassis.rpc.call import Call, Caller
from deploy.envoy.settings import Limits
from services.scoring.aggregation.tasks.sheet import unpack
from services.scoring.api.consensus import explain_consensus
from services.scoring.context import Context
from services.scoring.usecases import fit_projects, score_tasks
from services.scoring.usecases.get_consensus import ConsensusNotFound
from services.scoring.usecases.tasks import load_tasks
from tests.support import largest
from tests.support.databases import Databases
from tests.support.platform import staff, vendor
from tests.support.scoring import CONTEXT, Task, open_database, react, rows
from tests.support.work import grades, rubric

REVIEWER = staff("QUALITY_REVIEWER")


@pytest_asyncio.fixture
async def database(databases: Databases) -> AsyncIterator[Database]:
    async with open_database(databases) as opened:
        yield opened


async def explained(database: Database, task_id: UUID, who: Caller = REVIEWER) -> ExplainConsensusResponse:
    async with database.transaction(who.scope) as tx:
        call: Call[Context] = Call(who, CONTEXT, database, tx)
        return await explain_consensus(call, ExplainConsensusRequest(task=name("tasks", task_id)))


def recomputed(question: QuestionExplanation) -> list[float]:
    """The probabilities by the numbers of the reply alone: the models' mean, to the power, made to sum to 1."""
    weights = np.array([model.weight for model in question.models])
    mixed = weights @ np.array([model.posterior for model in question.models]) / weights.sum()
    powers = mixed ** (1 / question.temperature)
    return list(powers / powers.sum())


async def several_tasks(database: Database, first: Task, experts: Sequence[UUID]) -> None:
    """Four tasks of one project: three experts agree, and the last one says otherwise."""
    tasks = [first, *(Task(project_id=first.project_id, vendor_id=first.vendor_id) for _ in range(3))]
    for task in tasks:
        await react(database, [task.answer(-2, expert=expert) for expert in experts[:3]])
        await react(database, [task.answer(1, expert=experts[3], surplus=True)])


async def test_the_probabilities_told_follow_from_the_numbers_in_the_reply(database: Database) -> None:
    task = Task()
    await several_tasks(database, task, [new_id() for _ in range(4)])
    told = await explained(database, task.task_id)
    [question] = told.questions
    assert (told.verdict, told.version) == (VERDICT_RESOLVED, 2)
    assert told.stop_reason != STOP_REASON_UNSPECIFIED
    assert [model.name for model in question.models] == ["vote share", "one coin", "crowd", "subtypes"]
    assert list(question.probabilities) == pytest.approx(recomputed(question), abs=1e-4)
    assert told.confidence == pytest.approx(
        question.probabilities[list(question.labels).index(question.told)], abs=1e-4
    )
    assert sorted((vote.label, vote.total) for vote in question.votes) == [("A", 4)] * 3 + [("B", 4)]
    assert any(line.startswith("mixture, A: (2 x 0.750 + ") for line in question.arithmetic)


async def test_after_a_fit_the_numbers_are_those_that_are_held_by_then(database: Database) -> None:
    task = Task()
    await several_tasks(database, task, [new_id() for _ in range(4)])
    before = await explained(database, task.task_id)
    async with database.transaction(REVIEWER.scope) as tx:
        assert await fit_projects.tick(tx, CONTEXT) == 1
    after = await explained(database, task.task_id)
    assert (after.version, after.confidence) == (before.version, before.confidence)
    assert after.questions[0].models[1] != before.questions[0].models[1]
    for question in after.questions:
        assert list(question.probabilities) == pytest.approx(recomputed(question), abs=1e-4)


async def test_a_vote_s_weight_of_now_is_the_engine_s(database: Database) -> None:
    task = Task()
    await several_tasks(database, task, [new_id() for _ in range(4)])
    async with database.transaction(REVIEWER.scope) as tx:
        await fit_projects.tick(tx, CONTEXT)
        tasks = await load_tasks(tx, [task.task_id])
        asked = score_tasks.ask(tasks, unpack([tasks[0].kept], [1]))
        await score_tasks.look(tx, asked)
    [question] = (await explained(database, task.task_id)).questions
    answers = [name("answers", id_of(raw)) for raw in asked.sheet.answers["answer"].tolist()]
    expected = dict(zip(answers, asked.weights.tolist(), strict=True))
    assert {vote.answer: vote.weight_now for vote in question.votes} == pytest.approx(expected, abs=1e-5)


async def test_every_question_of_a_rubric_is_explained_and_the_task_by_the_least_sure(database: Database) -> None:
    task = Task(payload=rubric())
    await react(database, [task.submitted(grades(accuracy=3, tone=tone, padding="?")) for tone in (3, 4)])
    told = await explained(database, task.task_id)
    accuracy, tone, padding = told.questions
    for question in (accuracy, tone):
        assert list(question.probabilities) == pytest.approx(recomputed(question), abs=1e-4)
    assert (padding.told, padding.abstained, list(padding.models)) == ("", 2, [])
    assert list(padding.arithmetic) == ["No vote to add up: 2 experts could not assess it."]
    assert told.arithmetic[0].startswith("task: as sure as its least sure question, padding: 0.000")


async def test_gold_of_a_rater_is_told_and_who_it_was_is_not(database: Database) -> None:
    experts = [new_id() for _ in range(4)]
    await react(database, [_gold(experts[0], right) for right in (True, True, False)])
    task = Task()
    await several_tasks(database, task, experts)
    told = await explained(database, task.task_id, vendor(task.vendor_id))
    assert sorted((vote.gold_right, vote.gold_total) for vote in told.questions[0].votes) == [(0, 0)] * 3 + [(2, 3)]
    assert not [expert for expert in experts if str(expert) in str(told)]


def _gold(expert: UUID, right: bool) -> AnswerSubmitted:
    task = Task()
    key, said = (task.answer(preference).answer for preference in (-2, -2 if right else 2))
    return task.gold(said, key, expert=expert)


async def test_a_vote_of_a_rater_who_is_flagged_is_set_aside(database: Database) -> None:
    task, experts = Task(), [new_id() for _ in range(4)]
    await several_tasks(database, task, experts)
    await rows(database, "UPDATE pool_rater SET muted = true WHERE expert_id = $1", experts[3])
    [question] = (await explained(database, task.task_id)).questions
    assert (len(question.votes), len(question.set_aside)) == (3, 1)
    assert list(question.models[0].posterior) == pytest.approx([1, 0, 0], abs=1e-6)


async def test_a_foreign_task_and_a_missing_one_are_told_alike(database: Database) -> None:
    task = Task()
    await react(database, [task.answer(-2)])
    told = []
    for task_id in (task.task_id, new_id()):
        with pytest.raises(ConsensusNotFound) as raised:
            await explained(database, task_id, vendor())
        told.append((raised.value.message, raised.value.metadata, raised.value.field))
    assert told[0] == told[1]


@pytest.mark.parametrize("kind", ["fact_check", "rubric_grade"])
async def test_the_largest_task_with_all_answers_that_it_may_get_is_explained_in_one_reply(
    database: Database, kind: str
) -> None:
    task, asked = Task(greatest=50), largest.payload(kind, "x", 30_000 if kind == "fact_check" else 100_000)
    answers = []
    for n in range(100):
        event = task.answer(1, expert=new_id(), surplus=n >= 50)
        event.task_type = task_type_of(asked)
        event.answer.CopyFrom(largest.answer(kind, "x", 20_000))
        event.questions.CopyFrom(questions_of(asked))
        answers.append(event)
    answers[0].predictions.extend(largest.predictions(kind, "x", 200_000))
    await react(database, answers)
    told = await explained(database, task.task_id)
    assert sum(len(question.votes) for question in told.questions) == 108 * len(told.questions)
    assert told.ByteSize() < LARGEST_MESSAGE
    assert len(MessageToJson(told, indent=None).encode()) < Limits().reply_bytes
